"""Partial correlations equal those of residuals of least squares, pair by pair."""

import tracemalloc

import numpy as np
import pytest
import scipy.stats
from oracles import by_residuals, hub, regressed

from gsnn_edges import backends, cross_correlation
from gsnn_edges.partial import by_inverse, given_parents, parents_of_targets, partial_correlation

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


def eager(library):
    if library.jit:
        pytest.skip("eager only, as the docstring says")


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_given_parents_equals_regressions(library, method):
    eager(library)
    a, g = observations()
    W = partial_correlation(library.array(a), library.array(g), parents=PARENTS, method=method)
    expected = slow_given_parents(a, g, PARENTS, method)
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_given_columns_equals_regressions(library, method):
    eager(library)
    a, g = observations()
    held = observations(seed=1)[0][:, :4] + a[:, :4]
    W = partial_correlation(*(library.array(x) for x in (a, g, held)), method=method)
    expected = slow_given_columns(a, g, held, method)
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["parents", "conditions"])
def test_float64_is_within_1e_9(library, form):
    eager(library)
    if not library.has_float64:
        pytest.skip("no float64")
    a, g = (x.astype(np.float64) for x in observations())
    arrays = [library.array(a), library.array(g)]
    if form == "parents":
        W = partial_correlation(*arrays, parents=PARENTS, precision="float64")
        expected = slow_given_parents(a, g, PARENTS)
    else:
        held = observations(seed=1)[1].astype(np.float64)
        W = partial_correlation(*arrays, library.array(held), precision="float64")
        expected = slow_given_columns(a, g, held)
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_parents_that_repeat_each_other_or_are_constant_add_nothing(method, precision):
    a, g = observations()
    a[:, 4] = 2 * a[:, 3]  # repeats column 3, to the bit; column 8 is constant
    edges = np.array([[3, 4, 8, 1, 8], [0, 0, 0, 0, 5]])
    options = {"method": method, "precision": precision}
    W = partial_correlation(a, g, parents=edges, **options)
    expected = slow_given_parents(a, g, edges, method)
    atol = 1e-5 if precision == "float32" else 1e-9
    np.testing.assert_allclose(W, expected, rtol=0, atol=atol)
    # What a repetition adds to the column that it repeats is 0.
    np.testing.assert_array_equal(W[[3, 4], 0], 0)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_a_column_held_fixed_has_nothing_left(method):
    a, g = observations()
    held = np.column_stack([a[:, 0], g[:, 1], a[:, 0]])
    W = partial_correlation(a, g, held, method=method)
    np.testing.assert_array_equal(W[0], 0)
    np.testing.assert_array_equal(W[:, 1], 0)
    np.testing.assert_allclose(W, slow_given_columns(a, g, held, method), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "given", [{"parents": np.empty((2, 0), int)}, {"conditions": np.empty((ROWS, 0))}], ids=str
)
def test_nothing_held_fixed_is_the_plain_correlation(given):
    a, g = observations()
    expected = cross_correlation(a, g)
    np.testing.assert_allclose(partial_correlation(a, g, **given), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_hub_of_300_equals_regressions(precision):
    a, g, edges = hub(300, rows=700)
    W = partial_correlation(a, g, parents=edges, precision=precision)
    # The alike and the constant one, some parents, and all sources beside them.
    sources = [*range(6), 77, 150, 299, *range(300, a.shape[1])]
    atol = 2e-5 if precision == "float32" else 1e-9
    np.testing.assert_allclose(W[sources, 0], regressed(a, g, edges, sources), rtol=0, atol=atol)


def test_a_hub_takes_no_more_memory_than_the_docstring_says():
    gram = np.eye(400, dtype=np.float32)
    whole = np.full((400, 1), 0.01, np.float32)
    held, degree = np.arange(400), np.array([400])
    tracemalloc.start()
    given_parents(gram, whole, held, degree, backends.load("numpy"), "float32")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 400 * 400


@pytest.mark.parametrize("elements", [1, 1 << 22], ids=["one at a time", "at once"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_parents_one_by_one_equal_regressions(library, method, elements, monkeypatch):
    eager(library)
    monkeypatch.setattr("gsnn_edges.partial.NO_SHARE", -1)  # so that the inverse tells nothing
    monkeypatch.setattr("gsnn_edges.partial.BATCH_ELEMENTS", elements)
    a, g = observations()
    a[:, 4] = 2 * a[:, 3]
    edges = PARENTS[:, 1:]  # without the target of one parent, which has no others
    W = partial_correlation(library.array(a), library.array(g), parents=edges, method=method)
    expected = slow_given_parents(a, g, edges, method)
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=1e-5)


def test_the_inverse_tells_nothing_where_a_dropped_direction_has_part_in_a_parent():
    # The third is nearly the sum of the others, the fourth has nothing to do with them.
    gram = np.array([[1, 0, 0.7, 0], [0, 1, 0.7, 0], [0.7, 0.7, 1, 0], [0, 0, 0, 1]])[None]
    right = np.array([[0.3, 0.2, 0.4, 0.5]])
    ops = backends.load("numpy")
    # The smallest eigenvalue, 0.01 beside 1.99, is dropped by both bounds. By the first the others
    # leave nothing of the three, whose variances left are 0.04 and 0.02.
    found, told = by_inverse(gram, right, ops=ops, least=0.06)
    np.testing.assert_array_equal(told, [[True, True, True, True]])
    np.testing.assert_array_equal(found[0, :3], 0)
    found, told = by_inverse(gram, right, ops=ops, least=0.0105)
    np.testing.assert_array_equal(told, [[False, False, False, True]])
    three = right[0, :3]
    left = 1 - three @ np.linalg.pinv(gram[0, :3, :3], 0.02) @ three
    np.testing.assert_allclose(found[0, 3], 0.5 / np.sqrt(left), rtol=1e-6)


def test_no_targets_at_all():
    a, g = observations()
    W = partial_correlation(a, g[:, :0], parents=np.empty((2, 0), int))
    assert W.shape == (SOURCES, 0)


def test_batches_do_not_change_the_answer(monkeypatch):
    a, g = observations()
    expected = partial_correlation(a, g, parents=PARENTS)
    monkeypatch.setattr("gsnn_edges.partial.BATCH_ELEMENTS", 1)
    found = partial_correlation(a, g, parents=PARENTS, row_chunk=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_common_parent_is_seen_through():
    rng = np.random.default_rng(3)
    parent, noise = rng.standard_normal((2, 5000, 1))
    a = np.hstack([parent, parent + noise])
    g = parent + rng.standard_normal((5000, 1))
    assert cross_correlation(a, g)[1, 0] > 0.4
    # Four standard errors of a correlation of 5000 independent rows.
    assert abs(partial_correlation(a, g, parents=[[0], [0]])[1, 0]) < 4 / np.sqrt(5000)


def test_parents_are_listed_target_by_target():
    held, degree = parents_of_targets(PARENTS, TARGETS)
    np.testing.assert_array_equal(degree, [0, 1, 2, 2, 5, 0, 0])
    np.testing.assert_array_equal(held, [3, 0, 1, 2, 5, 0, 1, 2, 3, 4])


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
