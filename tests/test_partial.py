"""Partial correlations equal those of residuals of least squares, pair by pair."""

import tracemalloc

import numpy as np
import pytest
import scipy.stats
from oracles import by_residuals, hub, regressed

from gsnn_edges import cross_correlation, partial, partial_correlation

METHODS = ("spearman", "pearson")
ROWS, SOURCES, TARGETS = 120, 9, 7
# Target 0 has no parent, 1 has one, 2 and 3 have two, 4 has five; an edge is given twice.
PARENTS = np.array([[3, 0, 1, 2, 5, 0, 1, 2, 3, 4, 0], [1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 2]])


def observations(seed=0, rows=ROWS):
    """Correlated columns with ties; the last of each side is constant."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, SOURCES)) + rng.standard_normal((rows, 1))
    g = a[:, :TARGETS] * 0.5 + rng.standard_normal((rows, TARGETS))
    a[:, 2], g[:, 1] = np.maximum(a[:, 2], 0), np.maximum(g[:, 1], 0)
    a[:, -1], g[:, -1] = 4.0, -1.0
    return a.astype(np.float32), g.astype(np.float32)


def slow_partial(x, y, held, method):
    """The partial correlation of two columns by two regressions."""
    if method == "spearman":
        x, y, held = (scipy.stats.rankdata(z, axis=0) for z in (x, y, held))
    return by_residuals(*(z.astype(float) for z in (x, y, held)))


def slow_given_parents(a, g, edges, method="spearman"):
    """A loop over all pairs."""
    W = np.zeros((a.shape[1], g.shape[1]))
    for i, j in np.ndindex(W.shape):
        held = sorted(set(edges[0][edges[1] == j].tolist()) - {i})
        W[i, j] = slow_partial(a[:, i], g[:, j], a[:, held], method)
    return W


def slow_given_columns(a, g, held, method="spearman"):
    W = np.zeros((a.shape[1], g.shape[1]))
    for i, j in np.ndindex(W.shape):
        W[i, j] = slow_partial(a[:, i], g[:, j], held, method)
    return W


def close(found, expected, atol=1e-5):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("method", METHODS)
def test_given_parents_equals_regressions(eager, method):
    a, g = observations()
    found = eager.run(partial_correlation, a, g, parents=PARENTS, method=method)
    close(found, slow_given_parents(a, g, PARENTS, method))


@pytest.mark.parametrize("method", METHODS)
def test_given_columns_equals_regressions(eager, method):
    a, g = observations()
    held = observations(seed=1)[0][:, :4] + a[:, :4]
    found = eager.run(partial_correlation, a, g, held, method=method)
    close(found, slow_given_columns(a, g, held, method))


def test_float64_is_within_1e_9(eager):
    if not eager.has_float64:
        pytest.skip("no float64")
    a, g = (x.astype(np.float64) for x in observations())
    held = observations(seed=1)[1].astype(np.float64)
    by_parents = eager.run(partial_correlation, a, g, parents=PARENTS, precision="float64")
    by_columns = eager.run(partial_correlation, a, g, held, precision="float64")
    close(by_parents, slow_given_parents(a, g, PARENTS), 1e-9)
    close(by_columns, slow_given_columns(a, g, held), 1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("method", METHODS)
def test_parents_that_repeat_each_other_or_are_constant_add_nothing(method, precision):
    a, g = observations()
    a[:, 4] = 2 * a[:, 3]  # repeats column 3, to the bit; column 8 is constant
    edges = np.array([[3, 4, 8, 1, 8], [0, 0, 0, 0, 5]])
    options = {"method": method, "precision": precision}
    W = partial_correlation(a, g, parents=edges, **options)
    expected = slow_given_parents(a, g, edges, method)
    atol = 1e-5 if precision == "float32" else 1e-9
    close(W, expected, atol)
    # What a repetition adds to the column that it repeats is 0.
    np.testing.assert_array_equal(W[[3, 4], 0], 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_column_held_fixed_has_nothing_left(method):
    a, g = observations()
    held = np.column_stack([a[:, 0], g[:, 1], a[:, 0]])
    W = partial_correlation(a, g, held, method=method)
    np.testing.assert_array_equal(W[0], 0)
    np.testing.assert_array_equal(W[:, 1], 0)
    close(W, slow_given_columns(a, g, held, method))


@pytest.mark.parametrize(
    "given", [{"parents": np.empty((2, 0), int)}, {"conditions": np.empty((ROWS, 0))}], ids=str
)
def test_nothing_held_fixed_is_the_plain_correlation(given):
    a, g = observations()
    close(partial_correlation(a, g, **given), cross_correlation(a, g), 1e-7)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_hub_of_300_equals_regressions(precision):
    a, g, edges = hub(300, rows=700)
    W = partial_correlation(a, g, parents=edges, precision=precision)
    # The alike and the constant one, some parents, and all sources beside them.
    sources = [*range(6), 77, 150, 299, *range(300, a.shape[1])]
    atol = 2e-5 if precision == "float32" else 1e-9
    close(W[sources, 0], regressed(a, g, edges, sources), atol)


def test_a_hub_takes_no_more_memory_than_the_docstring_says():
    a, g, edges = hub(400, rows=450, extra=0)
    tracemalloc.start()
    partial_correlation(a, g, parents=edges)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    correlations = 2 * 4 * 400 * 400 + 2.2 * a.nbytes
    assert peak < 64 * 400 * 400 + correlations


@pytest.mark.parametrize(("difference", "kept"), [(5e-3, True), (5e-4, False)])
def test_parents_that_are_nearly_collinear_are_solved_one_by_one(eager, difference, kept):
    # The direction in which the first two of six parents differ is below the bound of float32.
    # For the others it is dropped. What the two add to each other is there all the same, while it
    # is more than 1e-5 of their variance.
    rng = np.random.default_rng(0)
    common, noise = rng.standard_normal((400, 1)), rng.standard_normal((400, 6))
    a = common + 0.3 * noise
    a[:, 1] = a[:, 0] + difference * noise[:, 1]
    g = (noise[:, 1] + 0.5 * noise[:, 5])[:, None]
    edges = np.stack([np.arange(6), np.zeros(6, int)])
    expected = slow_given_parents(a, g, edges, "pearson")
    expected[2:] = slow_given_parents(a, g, np.delete(edges, 1, axis=1), "pearson")[2:]
    assert np.abs(expected[:2]).min() > 0.9
    sides = a.astype(np.float32), g.astype(np.float32)
    found = eager.run(partial_correlation, *sides, parents=edges, method="pearson")
    if not kept:
        expected[:2] = 0
    # JAX solves in float32, which leaves two digits of so small a variance.
    close(found, expected, 0.02)


def test_no_targets_at_all():
    a, g = observations()
    W = partial_correlation(a, g[:, :0], parents=np.empty((2, 0), int))
    assert W.shape == (SOURCES, 0)


def test_batches_do_not_change_the_answer(monkeypatch):
    a, g = observations()
    expected = partial_correlation(a, g, parents=PARENTS)
    monkeypatch.setattr(partial, "_BATCH_ELEMENTS", 1)
    close(partial_correlation(a, g, parents=PARENTS, row_chunk=2), expected, 1e-6)


def test_a_common_parent_is_seen_through():
    rng = np.random.default_rng(3)
    parent, noise = rng.standard_normal((2, 5000, 1))
    a = np.hstack([parent, parent + noise])
    g = parent + rng.standard_normal((5000, 1))
    assert cross_correlation(a, g)[1, 0] > 0.4
    # Four standard errors of a correlation of 5000 independent rows.
    assert abs(partial_correlation(a, g, parents=[[0], [0]])[1, 0]) < 4 / np.sqrt(5000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either conditions or parents; got neither"),
        ({"parents": PARENTS, "conditions": np.ones((ROWS, 1))}, "got both"),
        ({"parents": [[9], [0]]}, "parents must hold sources in 0 .. 8"),
        ({"parents": [[0], [7]]}, "parents must hold targets in 0 .. 6"),
        ({"parents": PARENTS, "method": "kendall"}, "method must be one of"),
        ({"parents": PARENTS, "row_chunk": 0}, "row_chunk must be at least 1"),
        ({"conditions": np.ones((ROWS + 1, 1))}, "conditions must have the observations"),
        ({"conditions": np.ones(ROWS)}, "conditions must have 2 dimensions"),
        ({"conditions": np.full((ROWS, 1), np.nan)}, "conditions must be finite"),
        ({"conditions": np.ones((ROWS, ROWS - 2))}, "3 more than the 118 columns"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        partial_correlation(*observations(), **arguments)


def test_fewer_observations_than_parents_and_three_is_an_error():
    a, g = observations(rows=7)
    with pytest.raises(ValueError, match=r"at least 8 observations .* the 5 columns .* got 7"):
        partial_correlation(a, g, parents=PARENTS)


def test_conditions_that_are_no_array_are_an_error():
    with pytest.raises(TypeError, match="conditions must be an array"):
        partial_correlation(*observations(), [[1.0]])
