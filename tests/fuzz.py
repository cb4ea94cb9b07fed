"""Random calls of the array functions, each made from one number, and what must come of them.

A case that fails says which it is, and comes back by that number:

    pytest -m '' 'tests/test_fuzz.py::test_a_random_call_equals_scipy[1234]'
"""

import importlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import array_api_compat as compat
import numpy as np
import oracles
import pytest
import scipy.stats
from libraries import DTYPES_64, LIBRARIES, Library

from gsnn_edges import cross_correlation, mrr, rankdata
from gsnn_edges.options import BACKENDS

CASES, QUICK = 2000, 100  # all, and those that every run of the tests makes

# Law 3: columns of few ties and one large tied value, columns of few distinct values, float64.
FEW_TIES, MANY_TIES, DOUBLE = 1e-6, 4e-6, 1e-9

ON_CPU = [library for library in LIBRARIES if isinstance(library, Library)]
# JAX comes up more rarely than the others: it compiles anew for every shape.
RARE = 0.4
FLOATS = ("float32", "float16", "bfloat16", "float64")
INTS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))

# How a matrix lies in memory: name -> (matrix that is stored, view of it that is given).
LAYOUTS: dict[str, tuple[Any, Any]] = {
    "plain": (lambda x: x, lambda x: x),
    "transposed": (lambda x: x.T, lambda x: x.T),
    "inner": (lambda x: np.pad(x, 1), lambda x: x[1:-1, 1:-1]),
    "strided": (lambda x: x.repeat(2, 0).repeat(3, 1), lambda x: x[::2, 1::3]),
    "backwards": (lambda x: x[::-1, ::-1], lambda x: x[::-1, ::-1]),
    "one column for all": (lambda x: x[:, :1], None),
    "one row for all": (lambda x: x[:1], None),
}


def expand(x, shape):
    """Give a column or row for all of them, without a copy."""
    return compat.array_namespace(x).broadcast_to(x, shape)


def continuous(rng, m):
    return rng.standard_normal(m)


def few_levels(rng, m):
    return rng.integers(0, rng.integers(2, 8), m) - 2.0


def one_large_tie(rng, m):
    return np.where(rng.random(m) < rng.uniform(0.2, 0.99), 0.0, abs(rng.standard_normal(m)))


def constant(rng, m):
    return np.full(m, rng.choice([0.0, -0.0, 0.1, -3.0, 1e30, 1e-30]))


def signed_zeros(rng, m):
    return rng.choice([-0.0, 0.0, 1.0, -1.0], m) * rng.choice([1.0, rng.standard_normal()], m)


# Name -> m values in float64; the dtype then rounds and clips them.
VALUES = {
    "continuous": continuous,
    "few levels": few_levels,
    "one large tie": one_large_tie,
    "constant": constant,
    "signed zeros": signed_zeros,
    "tiny": lambda rng, m: 1e-30 * continuous(rng, m),
    "huge": lambda rng, m: 1e30 * continuous(rng, m),
    "extremely tiny": lambda rng, m: 1e-300 * continuous(rng, m),
    "extremely huge": lambda rng, m: 1e300 * continuous(rng, m),
    "subnormal": lambda rng, m: 1e-40 * continuous(rng, m),
    "offset": lambda rng, m: 1e6 + 10 * continuous(rng, m),
    "close": lambda rng, m: 1e8 + rng.integers(0, 50, m) / 10,
    "wide": lambda rng, m: 10 ** rng.uniform(-6, 9, m) * rng.choice([-1, 1], m),
}


def cast(x, dtype):
    """Round float64 values to a dtype, clipped to its range; bfloat16 comes as float32."""
    if dtype == "bool":
        return x > 0
    if dtype == "bfloat16":
        bits = cast(x, "float32").view(np.uint32) & np.uint32(0xFFFF0000)
        return bits.view(np.float32)
    whole = np.dtype(dtype).kind in "iu"
    limits = np.iinfo(dtype) if whole else np.finfo(dtype)
    # The largest int64 is no float64, and would come back as the smallest.
    top = np.nextafter(float(limits.max), 0) if whole else limits.max
    with np.errstate(under="ignore"):
        return np.clip(10 * x if whole else x, float(limits.min), top).astype(dtype)


@dataclass(frozen=True)
class Matrix:
    """Values of an array, and how a library is given them."""

    values: np.ndarray
    dtype: str
    layout: str
    kinds: tuple[str, ...]

    def given(self, library):
        """Make an array of the library with these values, laid out as the case wants it."""
        store, view = LAYOUTS[self.layout]
        array = library.array(store(self.values))
        if self.dtype == "bfloat16":
            array = as_bfloat16(array, library.name)
        return expand(array, self.values.shape) if view is None else view(array)

    @property
    def refused(self):
        """What an error must say of it, if it must be one."""
        if self.dtype == "bool":
            return "must hold real numbers"
        return None if np.isfinite(self.values).all() else "must be finite"

    def beyond_floats(self, library):
        """What `mrr` must say of whole numbers that floats of the library would merge."""
        whole = self.values.dtype.kind in "iu" and self.values.size > 0
        largest = max(abs(int(self.values.min())), abs(int(self.values.max()))) if whole else 0
        bits = 53 if library.has_float64 else 24
        return "must hold whole numbers of at most" if largest > 1 << bits else None

    def __str__(self):
        kinds = ", ".join(self.kinds)
        return f"{self.values.shape} {self.dtype}, {self.layout}, [{kinds}]"


def as_bfloat16(array, name):
    """Cast; NumPy has no such dtype to make the array with."""
    if name == "torch":
        return array.to(importlib.import_module("torch").bfloat16)
    return array.astype(importlib.import_module("jax.numpy").bfloat16)


def matrix(rng, shape, dtype, layout, spoiled):
    """Draw a matrix whose columns are of one kind, or each of its own.

    The share ``spoiled`` of them is given a NaN or an infinity, which must be refused.
    """
    kinds = rng.choice(list(VALUES), shape[1] if rng.random() < 0.5 else 1)
    columns = [VALUES[kind](rng, shape[0]) for kind in np.resize(kinds, shape[1])]
    values = np.stack([*columns, np.zeros(shape[0])], axis=1)[:, : shape[1]]
    values = cast(values, dtype)
    if dtype in FLOATS and shape[1] and rng.random() < spoiled:
        values[rng.integers(shape[0]), rng.integers(shape[1])] = rng.choice([np.nan, np.inf])
    if LAYOUTS[layout][1] is None and shape[1]:
        values = np.broadcast_to(LAYOUTS[layout][0](values), shape).copy()
    return Matrix(values, dtype, layout if shape[1] else "plain", tuple(kinds))


@dataclass(frozen=True)
class Case:
    """One random call of each function."""

    seed: int
    origin: Library
    backend: str
    a: Matrix
    g: Matrix
    scores: Matrix
    edges: np.ndarray
    true_edges: np.ndarray
    method: str
    ties: str
    precision: str
    row_chunk: int | None
    axis: int

    def __str__(self):
        return (
            f"fuzz case {self.seed}: {self.origin} -> {self.backend}, a {self.a}, g {self.g}, "
            f"{self.method}, {self.ties}, {self.precision}, row_chunk={self.row_chunk}, "
            f"axis={self.axis}; mrr of {self.scores}, {self.edges.shape[1]} edges"
        )

    def check(self):
        """Call each function, and compare with SciPy or a loop."""
        self.check_ranks()
        self.check_correlation(self.origin.name)
        if not self.origin.jit:  # there values cannot leave JAX, nor be ranked by mrr
            self.check_correlation(self.backend, backend=self.backend)
            self.check_mrr()

    def check_ranks(self):
        options = {"axis": self.axis, "ties": self.ties}
        call = partial(self.origin.call, rankdata, self.a.given(self.origin), **options)
        if self.a.refused:
            refuses(call, [self.a.refused])
            return
        expected = [
            scipy.stats.rankdata(x, axis=self.axis, method=self.ties)
            for x in taken_for(self.a.values, self.origin.name)
        ]
        found = self.origin.numpy(call())
        np.testing.assert_array_equal(found, nearest(found, expected))

    def check_correlation(self, name, **place):
        arrays = self.a.given(self.origin), self.g.given(self.origin)
        options = {"method": self.method, "ties": self.ties, "precision": self.precision}
        options |= {"row_chunk": self.row_chunk, **place}
        call = partial(self.origin.call, cross_correlation, *arrays, **options)
        phrases = self.refusals(name)
        if phrases:
            refuses(call, phrases)
            return
        result = call()
        found = np.asarray(result) if place else self.origin.numpy(result)
        expected = [
            correlation(a, g, self.method, self.ties)
            for a, g in zip(
                taken_for(self.a.values, self.origin.name, name),
                taken_for(self.g.values, self.origin.name, name),
                strict=True,
            )
        ]
        difference = found.astype(np.float64) - nearest(found, expected)
        np.testing.assert_allclose(difference / self.bound, 0, rtol=0, atol=1)
        assert found.dtype == self.precision

    def check_mrr(self):
        call = partial(mrr, self.scores.given(self.origin), self.edges, self.true_edges)
        refused = self.scores.refused or self.scores.beyond_floats(self.origin)
        if refused:
            refuses(call, [refused])
            return
        expected = [
            oracles.reciprocal_ranks(x, self.edges, self.true_edges).mean()
            for x in taken_for(self.scores.values, self.origin.name)
        ]
        found = call()
        np.testing.assert_allclose(found, nearest(found, expected), rtol=1e-12)

    def refusals(self, name):
        """What an error may say of the correlation; nothing where there must be none."""
        phrases = [matrix.refused for matrix in (self.a, self.g) if matrix.refused]
        wide = {self.precision, self.a.dtype, self.g.dtype} & set(DTYPES_64)
        return [*phrases, "jax_enable_x64"] if name == "jax" and wide else phrases

    @property
    def bound(self):
        """Give law 3 for each pair of columns: the looser bound of the two."""
        if self.precision == "float64":
            return DOUBLE
        a, g = (
            np.array([few_distinct(column) for column in matrix.values.T], bool)
            for matrix in (self.a, self.g)
        )
        return np.where(a[:, None] | g, MANY_TIES, FEW_TIES)


def refuses(call, phrases):
    """Expect an error that says one of these."""
    with pytest.raises((TypeError, ValueError), match="|".join(phrases)):
        call()


def taken_for(values, *names):
    """Values as they are and, where JAX has its hands on them, with subnormal numbers as zero.

    Law 2 leaves it to a library which of both it ranks.
    """
    if values.dtype.kind != "f" or "jax" not in names:
        return [values, values]
    tiny = np.finfo(values.dtype).tiny
    return [values, np.where(abs(values) < tiny, values.dtype.type(0), values)]


def nearest(found, expected):
    """Of two answers that are both right, the one nearer to what was found, number by number."""
    first, second = (np.asarray(x, np.float64) for x in expected)
    found = np.asarray(found, np.float64)
    return np.where(abs(found - first) <= abs(found - second), first, second)


def make(seed):
    """Draw a case; the same from the same number on every machine."""
    rng = np.random.default_rng(seed)
    library = ON_CPU[rng.choice(len(ON_CPU), p=shares([x.name for x in ON_CPU]))]
    rows = int(rng.integers(2, 5001) if rng.random() < 0.05 else rng.integers(2, 301))
    columns = [int(count) for count in rng.integers(0, 13, 2)]
    nodes = int(rng.integers(1, 13))
    spoiled = 0 if library.jit else 0.02

    def draw(shape):
        return matrix(rng, shape, dtype_for(rng, library), layout_for(rng, library), spoiled)

    queries, others = rng.integers(1, 40, 2)
    return Case(
        seed=seed,
        origin=library,
        backend=str(rng.choice(list(BACKENDS), p=shares(BACKENDS))),
        a=draw((rows, columns[0])),
        g=draw((rows, columns[1])),
        scores=draw((nodes, nodes)),
        edges=rng.integers(0, nodes, (2, queries)),
        true_edges=rng.integers(0, nodes, (2, others)),
        method=str(rng.choice(["spearman", "pearson"])),
        ties=str(rng.choice(["average", "ordinal"], p=[0.7, 0.3])),
        precision=str(rng.choice(["float32", "float64"], p=[0.8, 0.2])),
        row_chunk=None if rng.random() < 0.4 else int(rng.integers(1, 15)),
        axis=int(rng.integers(-2, 2)),
    )


def shares(names):
    """How often each of some libraries is drawn."""
    weights = np.array([RARE if name == "jax" else 1 for name in names])
    return weights / weights.sum()


def dtype_for(rng, library):
    """Draw a dtype that the library has; now and then bool, which must be refused."""
    draw = rng.random()
    dtype = str(rng.choice(FLOATS[:1] if draw < 0.4 else FLOATS if draw < 0.75 else INTS))
    narrow = dtype in ("float16", "bfloat16")
    missing = (
        (dtype == "bfloat16" and library.name == "numpy")
        or (narrow and library.name == "strict")
        or (dtype in DTYPES_64 and not library.has_float64)
    )
    return "bool" if draw > 0.99 else "float32" if missing else dtype


def layout_for(rng, library):
    layout = str(rng.choice(["plain", *LAYOUTS]))
    return "plain" if library.name == "torch" and layout == "backwards" else layout


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
