"""Random calls of the array functions equal SciPy and slow loops, each call made from one number.

A case that fails comes back by it: pytest -m '' 'tests/test_fuzz.py::test_a_random_call[1234]'
"""

import array_api_compat as compat
import numpy as np
import oracles
import pytest
import scipy.stats
from libraries import DTYPES_64, LIBRARIES, Library, require

from gsnn_edges import backends, cross_correlation, mrr, rankdata
from gsnn_edges.options import BACKENDS

CASES, QUICK = 2000, 100  # all, and those that every run of the tests makes
SEEDS = [
    *range(QUICK),
    *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(QUICK, CASES)),
]
ON_CPU = [library for library in LIBRARIES if isinstance(library, Library)]
# JAX comes up more rarely than the others: it compiles anew for every shape and option.
SHARES = np.array([0.2 if library.name == "jax" else 1 for library in ON_CPU])
SHARES /= SHARES.sum()

# Law 3: columns of few ties and one large tied value, columns of few distinct values, float64.
FEW_TIES, MANY_TIES, DOUBLE = 1e-6, 4e-6, 1e-9
FLOATS = ("float32", "float16", "bfloat16", "float64")
INTS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))

# How a matrix lies in memory: the matrix that is stored, and the view of it that is passed.
LAYOUTS = {
    "plain": (lambda x: x, lambda x, shape: x),
    "transposed": (lambda x: x.T, lambda x, shape: x.T),
    "inner": (lambda x: np.pad(x, 1), lambda x, shape: x[1:-1, 1:-1]),
    "strided": (lambda x: x.repeat(2, 0).repeat(3, 1), lambda x, shape: x[::2, 1::3]),
    "backwards": (lambda x: x[::-1, ::-1], lambda x, shape: x[::-1, ::-1]),
    "one row": (lambda x: x[:1], lambda x, shape: compat.array_namespace(x).broadcast_to(x, shape)),
}


def few_levels(rng, m):
    return rng.integers(0, rng.integers(2, 8), m) - 2.0


def one_large_tie(rng, m):
    return np.where(rng.random(m) < rng.uniform(0.2, 0.99), 0.0, abs(rng.standard_normal(m)))


# m values in float64; the dtype then rounds and clips them.
VALUES = [
    few_levels,
    one_large_tie,
    lambda rng, m: np.full(m, rng.choice([0.0, -0.0, 0.1, -3.0, 1e30, 1e-30])),
    lambda rng, m: rng.choice([-0.0, 0.0, 1.0, -1.0], m) * rng.choice([1.0, rng.random()], m),
    *(
        lambda rng, m, scale=scale: scale * rng.standard_normal(m)
        for scale in (1, 1e-30, 1e30, 1e-300, 1e300, 1e-40)
    ),
    lambda rng, m: 1e6 + 10 * rng.standard_normal(m),
    lambda rng, m: 1e8 + rng.integers(0, 50, m) / 10,
    lambda rng, m: 10 ** rng.uniform(-6, 9, m) * rng.choice([-1, 1], m),
]


def cast(x, dtype):
    """Round float64 values to a dtype, clipped to its range; bfloat16 comes as float32."""
    if dtype == "bfloat16":
        return (cast(x, "float32").view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    whole = np.dtype(dtype).kind in "iu"
    limits = np.iinfo(dtype) if whole else np.finfo(dtype)
    # The largest int64 is no float64, and would come back as the smallest.
    top = np.nextafter(float(limits.max), 0) if whole else limits.max
    with np.errstate(under="ignore"):
        return np.clip(10 * x if whole else x, float(limits.min), top).astype(dtype)


def draw(rng, shape, library, jax):
    """Values of a matrix, and an array of the library with them, laid out in one of the ways."""
    dtype = str(rng.choice(FLOATS[:1] if rng.random() < 0.4 else FLOATS + INTS))
    narrow = dtype in ("float16", "bfloat16") and library.name in ("numpy", "strict")
    dtype = "float32" if narrow or (jax and dtype in DTYPES_64) else dtype
    kinds = rng.choice(len(VALUES), shape[1] if rng.random() < 0.5 else 1)
    columns = [VALUES[kind](rng, shape[0]) for kind in np.resize(kinds, shape[1])]
    values = cast(np.stack([*columns, np.zeros(shape[0])], axis=1)[:, : shape[1]], dtype)
    if jax and values.dtype.kind == "f":  # law 2: JAX may rank subnormal numbers as zero
        values[abs(values) < np.finfo(values.dtype).tiny] = 0
    layout = str(rng.choice([*LAYOUTS])) if shape[1] else "plain"
    store, view = LAYOUTS["plain" if (library.name, layout) == ("torch", "backwards") else layout]
    if layout == "one row":
        values[:] = values[0]
    array = library.array(store(values))
    if dtype == "bfloat16":
        xp = compat.array_namespace(array)
        array = xp.astype(array, xp.bfloat16)
    return values, view(array, shape)


def correlation(a, g, method, ties):
    """Cross-correlate in float64; ranks and means are those of the values' own dtype."""
    constant = [(x == x[:1]).all(axis=0) for x in (a, g)]
    if method == "spearman":
        a, g = (scipy.stats.rankdata(x, axis=0, method=ties) for x in (a, g))
    else:
        # The oracle centres once and in float64, which an offset of 1e8 would show.
        a, g = (x.astype(np.longdouble) for x in (a, g))
        a, g = (x - x.mean(axis=0) for x in (a, g))
    a, g = (np.where(c, 0, x) for x, c in zip((a, g), constant, strict=True))
    return oracles.correlation(a, g, "pearson")


def few_distinct(column):
    """Whether values beside the commonest one are shared by many observations too."""
    counts = np.sort(np.unique(column, return_counts=True)[1])
    return len(counts) > 1 and counts[-2] > max(1, len(column) // 100)


def bound(a, g, precision):
    """Law 3 for each pair of columns: the looser bound of the two."""
    a, g = (np.array([few_distinct(column) for column in x.T], bool) for x in (a, g))
    return DOUBLE if precision == "float64" else np.where(a[:, None] | g, MANY_TIES, FEW_TIES)


# Self-edges and queries that are not among the true edges are drawn on purpose.
@pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are:UserWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_call(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    library = ON_CPU[rng.choice(len(ON_CPU), p=SHARES)]
    backend = str(rng.choice(list(BACKENDS), p=(0.45, 0.45, 0.1)))
    require(library.name)
    require(backend)
    monkeypatch.setenv("GSNN_EDGES_PATH", library.path)
    jax = "jax" in (library.name, backend)
    # JAX compiles for every shape, so there it has few.
    rows = int(rng.choice([2, 300]) if jax else rng.integers(2, 5001 if seed % 20 == 0 else 301))
    columns = (5, 4) if jax else rng.integers(0, 13, 2)
    (x, a), (y, g) = (draw(rng, (rows, int(count)), library, jax) for count in columns)
    method = str(rng.choice(["spearman", "pearson"]))
    ties = str(rng.choice(["average", "ordinal"], p=[0.7, 0.3]))
    axis = int(rng.integers(-2, 2))
    ranks = library.numpy(library.call(rankdata, a, axis=axis, ties=ties))
    np.testing.assert_array_equal(ranks, scipy.stats.rankdata(x, axis=axis, method=ties))
    assert ranks.dtype == ("float64" if x.dtype == "float64" else "float32")

    options = {"method": method, "ties": ties}
    options["precision"] = "float32" if jax or rng.random() < 0.8 else "float64"
    options["row_chunk"] = rng.choice([None, 3 if jax else int(rng.integers(1, 15))])
    expected = correlation(x, y, method, ties)
    # Values cannot leave JAX where it compiles, nor be ranked by mrr.
    for place in [{}] if library.jit else [{}, {"backend": backend}]:
        found = library.call(cross_correlation, a, g, **options, **place)
        assert backends.of(found).name == place.get("backend", backends.of(a).name)
        found = np.asarray(found)
        assert found.dtype == options["precision"]
        difference = (found - expected) / bound(x, y, options["precision"])
        np.testing.assert_allclose(difference, 0, rtol=0, atol=1)

    if not library.jit:
        nodes = 12 if jax else int(rng.integers(1, 13))
        scores = np.round(draw(rng, (nodes, nodes), Library("numpy"), jax)[0].clip(-9, 9), 1)
        edges, truths = (rng.integers(0, nodes, (2, rng.integers(1, 40))) for _ in "ab")
        expected = oracles.reciprocal_ranks(scores, edges, truths).mean()
        np.testing.assert_allclose(mrr(library.array(scores), edges, truths), expected, rtol=1e-12)
