"""Partial correlations equal those of residuals of least squares, pair by pair."""

import numpy as np
import pytest
from oracles import given_parents, standardized
from oracles import partial as slow_partial
from watching import peak_bytes

from gsnn_edges import cross_correlation, partial, partial_correlation

METHODS = ("spearman", "pearson")
ROWS, SOURCES, TARGETS = 120, 9, 7
# Target 0 has no parent, 1 has one, 2 and 3 have two, 4 has five; an edge is given twice.
PARENTS = np.array([[3, 0, 1, 2, 5, 0, 1, 2, 3, 4, 0], [1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 2]])
ATOL = {"float32": 1e-5, "float64": 1e-9}
each_precision = pytest.mark.parametrize("precision", ATOL)


def observations(seed=0, rows=ROWS, dtype="float32"):
    """Correlated columns with ties; the last of each side is constant."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, SOURCES)) + rng.standard_normal((rows, 1))
    g = a[:, :TARGETS] * 0.5 + rng.standard_normal((rows, TARGETS))
    a[:, 2], g[:, 1] = np.maximum(a[:, 2], 0), np.maximum(g[:, 1], 0)
    a[:, -1], g[:, -1] = 4.0, -1.0
    return a.astype(dtype), g.astype(dtype)


def given_columns(a, g, held, method="spearman"):
    return slow_partial(a, g, lambda i, j: standardized(held, method), method)


def close(found, expected, atol=1e-5):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@each_precision
@pytest.mark.parametrize("method", METHODS)
def test_equals_regressions(eager, method, precision):
    if precision == "float64" and not eager.has_float64:
        pytest.skip("no float64")
    a, g = observations(dtype=precision)
    held = observations(seed=1, dtype=precision)[0][:, :4] + a[:, :4]
    options = {"method": method, "precision": precision}
    by_parents = eager.run(partial_correlation, a, g, parents=PARENTS, **options)
    close(by_parents, given_parents(a, g, PARENTS, method), ATOL[precision])
    by_columns = eager.run(partial_correlation, a, g, held, **options)
    close(by_columns, given_columns(a, g, held, method), ATOL[precision])


@each_precision
@pytest.mark.parametrize("method", METHODS)
def test_parents_that_repeat_each_other_or_are_constant_add_nothing(method, precision):
    a, g = observations()
    a[:, 4] = 2 * a[:, 3]  # repeats column 3, to the bit; column 8 is constant
    edges = np.array([[3, 4, 8, 1, 8], [0, 0, 0, 0, 5]])
    W = partial_correlation(a, g, parents=edges, method=method, precision=precision)
    close(W, given_parents(a, g, edges, method), ATOL[precision])
    # What a repetition adds to the column that it repeats is 0.
    np.testing.assert_array_equal(W[[3, 4], 0], 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_column_held_fixed_has_nothing_left(method):
    a, g = observations()
    held = np.column_stack([a[:, 0], g[:, 1], a[:, 0]])
    W = partial_correlation(a, g, held, method=method)
    np.testing.assert_array_equal(W[0], 0)
    np.testing.assert_array_equal(W[:, 1], 0)
    close(W, given_columns(a, g, held, method))


@pytest.mark.parametrize("targets", [0, TARGETS])
@pytest.mark.parametrize(
    "given", [{"parents": np.empty((2, 0), int)}, {"conditions": np.empty((ROWS, 0))}], ids=str
)
def test_nothing_held_fixed_is_the_plain_correlation(given, targets):
    a, g = observations()
    g = g[:, :targets]
    close(partial_correlation(a, g, **given), cross_correlation(a, g), 1e-7)


def hub(parents, rows, extra=5):
    """A target of many parents, one of which is constant, and two alike; sources beside them."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, parents + extra)) + rng.standard_normal((rows, 1))
    a[:, 1], a[:, 2] = 4.0, 3 * a[:, 0]
    a[:, 3] = np.maximum(a[:, 3], 0)
    g = a[:, :parents].mean(axis=1, keepdims=True) + 0.2 * rng.standard_normal((rows, 1))
    edges = np.stack([np.arange(parents), np.zeros(parents, int)])
    return a.astype(np.float32), g.astype(np.float32), edges


@each_precision
def test_a_hub_of_300_equals_regressions(precision):
    a, g, edges = hub(300, rows=700)
    W = partial_correlation(a, g, parents=edges, precision=precision)
    # The alike and the constant one, some parents, and all sources beside them.
    sources = [*range(6), 77, 150, 299, *range(300, a.shape[1])]
    close(W[sources], given_parents(a, g, edges, sources=sources), 2 * ATOL[precision])


def test_a_hub_takes_no_more_memory_than_the_docstring_says():
    a, g, edges = hub(400, rows=450, extra=0)
    correlations = 2 * 4 * 400 * 400 + 2.2 * a.nbytes
    assert peak_bytes(partial_correlation, a, g, parents=edges) < 64 * 400 * 400 + correlations


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
    expected = given_parents(a, g, edges, "pearson")
    expected[2:] = given_parents(a, g, np.delete(edges, 1, axis=1), "pearson")[2:]
    assert (abs(expected[:2]).min() > 0.9) == kept
    sides = a.astype(np.float32), g.astype(np.float32)
    found = eager.run(partial_correlation, *sides, parents=edges, method="pearson")
    # JAX solves in float32, which leaves two digits of so small a variance.
    close(found, expected, 0.02)


def test_batches_do_not_change_the_answer(monkeypatch):
    a, g = observations()
    expected = partial_correlation(a, g, parents=PARENTS)
    monkeypatch.setattr(partial, "_BATCH_ELEMENTS", 1)
    close(partial_correlation(a, g, parents=PARENTS, row_chunk=2), expected, 1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parents": [[9], [0]]}, "parents must hold sources in 0 .. 8"),
        ({"parents": [[0], [7]]}, "parents must hold targets in 0 .. 6"),
        ({"parents": PARENTS, "method": "kendall"}, "method must be one of"),
        ({"parents": PARENTS, "row_chunk": 0}, "row_chunk must be at least 1"),
        ({"parents": PARENTS, "rows": 7}, r"at least 8 observations .* the 5 columns .* got 7"),
        ({"conditions": np.ones(ROWS)}, "conditions must have 2 dimensions"),
        ({"conditions": np.full((ROWS, 1), np.nan)}, "conditions must be finite"),
        ({"conditions": np.ones((ROWS, ROWS - 2))}, "3 more than the 118 columns"),
        ({"conditions": [[1.0]]}, "conditions must be an array"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(arguments, message):
    a, g = observations(rows=arguments.get("rows", ROWS))
    options = {name: value for name, value in arguments.items() if name != "rows"}
    with pytest.raises((ValueError, TypeError), match=message):
        partial_correlation(a, g, **options)
