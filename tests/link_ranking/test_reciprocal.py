"""mrr equals a slow loop, to rounding of its mean, in every library."""

import tracemalloc

import numpy as np
import oracles
import pytest
import rankings
from hypothesis import given, settings
from hypothesis import strategies as st

from gsnn_edges import mrr

STRANGE = pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are")


@STRANGE
@pytest.mark.parametrize("chunk", [1, 7, 2048])
@pytest.mark.parametrize("levels", [1, 2, 12, 10**6])
def test_equals_a_loop_over_all_pairs(library, chunk, levels):
    if library.jit:
        pytest.skip("mrr is eager only")
    scores, edges, true_edges = rankings.problem(levels, levels=levels)
    found = mrr(library.array(scores), edges, true_edges, query_chunk_size=chunk)
    expected = oracles.reciprocal_ranks(scores, edges, true_edges).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@STRANGE
@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 15), st.integers(1, 40), st.integers(1, 50))
def test_equals_a_loop_for_any_graph(seed, nodes, queries, levels):
    scores, edges, true_edges = rankings.problem(seed, nodes, queries, levels)
    found = mrr(scores, edges, true_edges)
    expected = oracles.reciprocal_ranks(scores, edges, true_edges).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 0 < found <= 1


@STRANGE
@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "int64", "uint8"])
def test_scores_of_every_real_dtype(dtype):
    scores, edges, true_edges = rankings.problem(0)
    expected = oracles.reciprocal_ranks(scores, edges, true_edges).mean()
    np.testing.assert_allclose(mrr(scores.astype(dtype), edges, true_edges), expected, rtol=1e-12)


@STRANGE
def test_edges_may_be_lists_arrays_or_tensors():
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    scores, edges, true_edges = rankings.problem(0)
    expected = mrr(scores, edges, true_edges)
    for kind in (np.ndarray.tolist, torch.from_numpy, jnp.asarray):
        assert mrr(scores, kind(edges), kind(true_edges)) == expected


@STRANGE
def test_a_query_that_is_not_true_does_not_compete_with_itself():
    assert mrr(np.ones((1, 1)), [[0], [0]], [[], []]) == 1
    assert mrr(np.array([[5.0, 1.0], [0.0, 0.0]]), [[0], [0]], [[], []]) == 1


@STRANGE
def test_a_true_edge_competes_with_no_true_edge():
    scores = np.array([[0.1, 0.9, 0.8, 0.2]])
    assert mrr(scores, [[0], [2]], [[0, 0], [1, 2]]) == 1
    assert mrr(scores, [[0], [2]], [[0], [2]]) == 0.5


@STRANGE
def test_it_falls_when_a_competitor_rises():
    scores = np.array([[0.5, 0.1, 0.2]])
    found = []
    for rival in (0.1, 0.5, 0.9):
        scores[0, 1] = rival
        found.append(mrr(scores, [[0], [0]], [[0], [0]]))
    np.testing.assert_allclose(found, [1, 1 / 1.5, 1 / 2])


def test_strange_queries_are_counted_in_warnings():
    scores = np.eye(3)
    with pytest.warns(UserWarning, match="mrr: 2 of the 3 edges in edge_index are self-edges"):
        mrr(scores, [[0, 1, 1], [0, 1, 2]], [[0, 1, 1], [0, 1, 2]])
    with pytest.warns(UserWarning, match="mrr: 1 of the 2 edges .* missing from all_true") as found:
        mrr(scores, [[0, 1], [1, 2]], [[0], [1]])
    assert [warning.filename for warning in found] == [__file__]


def test_no_query_gives_nan_and_a_warning():
    with pytest.warns(UserWarning, match="holds no edge, so the mean is nan"):
        found = mrr(np.ones((3, 3)), np.zeros((2, 0), int), [[0], [1]])
    assert np.isnan(found)


@STRANGE
def test_memory_follows_the_chunk_not_the_matrix():
    nodes = 2000
    scores = np.random.default_rng(0).standard_normal((nodes, nodes), np.float32)
    edges = np.random.default_rng(1).integers(0, nodes, (2, 4000))
    mrr(scores, edges, edges, query_chunk_size=20)
    tracemalloc.start()
    mrr(scores, edges, edges, query_chunk_size=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Less than one mask of the matrix, at a byte for each pair.
    assert peak < nodes * nodes


A = np.arange(9.0).reshape(3, 3)
EDGE = [[0], [1]]


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ((A.tolist(), EDGE, EDGE), TypeError, "A must be an array"),
        ((A[0], EDGE, EDGE), ValueError, "A must have 2 dimensions"),
        ((A > 1, EDGE, EDGE), TypeError, "A must hold real numbers"),
        ((np.where(A == 4, np.nan, A), EDGE, EDGE), ValueError, "A must be finite; got 1 NaN"),
        ((np.where(A == 4, np.inf, A), EDGE, EDGE), ValueError, "column 1"),
        ((A, [0, 1], EDGE), ValueError, r"edge_index must have shape \(2, E\)"),
        ((A, [[0, 1], [1, 2], [2, 0]], EDGE), ValueError, "transpose it"),
        ((A, [[0.0], [1.0]], EDGE), TypeError, "edge_index must hold whole numbers"),
        ((A, [[0], [3]], EDGE), ValueError, "edge_index must hold targets in 0 .. 2"),
        ((A, [[3], [0]], EDGE), ValueError, "edge_index must hold sources in 0 .. 2"),
        ((A, EDGE, [[0], [-1]]), ValueError, "all_true_edges must hold node indices, counted"),
        ((A, EDGE, [[0], [7]]), ValueError, "all_true_edges must hold targets in 0 .. 2"),
        ((A, EDGE, [["a"], ["b"]]), TypeError, "all_true_edges must hold whole numbers"),
        ((A, EDGE, EDGE, 0), ValueError, "query_chunk_size must be at least 1; got 0"),
        ((A, EDGE, EDGE, 2.5), TypeError, "query_chunk_size must be a whole number"),
    ],
)
def test_bad_input_is_explained(arguments, error, phrase):
    with pytest.raises(error, match=phrase):
        mrr(*arguments)
