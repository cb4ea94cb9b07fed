"""mrr equals a slow loop, to rounding of its mean, in every library and on disk."""

import numpy as np
import oracles
import pytest
import rankings
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from watching import compilations, peak_bytes

from gsnn_edges import backends, evaluate_edges, mrr
from gsnn_edges.store import open_matrix

STRANGE = pytest.mark.filterwarnings("ignore:.* edges in edge_index are")


@STRANGE
@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 15), st.integers(1, 40), st.integers(1, 50))
def test_equals_a_loop_for_any_graph(seed, nodes, queries, levels):
    scores, edges, true_edges = rankings.problem(seed, nodes, queries, levels)
    found = mrr(scores, edges, true_edges)
    expected = oracles.reciprocal_ranks(scores, edges, true_edges).mean()
    assert_allclose(found, expected, rtol=1e-12)
    assert 0 < found <= 1


@STRANGE
def test_edges_may_be_lists_arrays_or_tensors():
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    scores, edges, true_edges = rankings.problem(0)
    expected = mrr(scores, edges, true_edges)
    for kind in (np.ndarray.tolist, torch.from_numpy, jnp.asarray):
        assert mrr(scores, kind(edges), kind(true_edges)) == expected


@STRANGE
def test_a_matrix_that_is_not_square():
    scores = np.array([[0.1, 0.9, 0.8, 0.2], [0.3, 0.3, 0.1, 0.2]])
    edges = np.array([[0, 1, 0], [2, 3, 0]])
    expected = oracles.reciprocal_ranks(np.pad(scores, ((0, 2), (0, 0))), edges, edges).mean()
    assert_allclose(mrr(scores, edges, edges), expected, rtol=1e-12)


def test_strange_queries_are_counted_in_warnings():
    scores = np.eye(3)
    with pytest.warns(UserWarning, match="mrr: 2 of the 3 edges in edge_index are self-edges"):
        mrr(scores, [[0, 1, 1], [0, 1, 2]], [[0, 1, 1], [0, 1, 2]])
    with pytest.warns(UserWarning, match="mrr: 1 of the 2 edges .* missing from all_true") as seen:
        mrr(scores, [[0, 1], [1, 2]], [[0], [1]])
    assert [warning.filename for warning in seen] == [__file__]


@STRANGE
def test_memory_follows_the_chunk_not_the_matrix(tmp_path):
    nodes = 2000
    scores = np.random.default_rng(0).standard_normal((nodes, nodes), np.float32)
    edges = np.random.default_rng(1).integers(0, nodes // 2, (2, 4000))
    edges[1] += nodes // 2
    options = {"direction": "both", "exclude_self": True, "n_resamples": None}
    calls = [
        lambda: mrr(scores, edges, edges, query_chunk_size=20),
        lambda: mrr(stored(tmp_path, scores, "npy"), edges, edges, query_chunk_size=20),
        lambda: evaluate_edges(scores, edges, query_chunk_size=20, **options),
    ]
    for call in calls:
        call()
        # Less than one mask of the matrix, at a byte for each pair.
        assert peak_bytes(call) < nodes * nodes


def stored(folder, scores, kind, chunks=(7, 7)):
    """Write scores to disk, in chunks that divide nothing."""
    if kind == "npy":
        np.save(folder / "W.npy", scores)
    else:
        zarr.create_array(folder / "W.zarr", data=scores, chunks=chunks)
    return open_matrix(folder / f"W.{kind}")


@pytest.mark.filterwarnings("ignore:.*edges in edge_index are|.*no candidate but")
@pytest.mark.parametrize("kind", ["npy", "zarr"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("direction", ["tail", "head", "both"])
def test_scores_on_disk_are_ranked_as_in_memory(tmp_path, kind, dtype, direction):
    scores, edges, true_edges = rankings.problem(0, levels=50)
    scores = scores.astype(dtype) / 3
    on_disk = stored(tmp_path, scores, kind)
    for chunk in (1, 6, 2048):
        options = {"direction": direction, "query_chunk_size": chunk, "seed": 0}
        found, expected = (
            evaluate_edges(A, edges, true_edges, **options) for A in (on_disk, scores)
        )
        assert found.to_dict() == expected.to_dict()
        assert (found.to_frame() == expected.to_frame()).all(axis=None)
        assert mrr(on_disk, edges, true_edges, chunk) == mrr(scores, edges, true_edges)


@pytest.mark.parametrize("cell", [(0, 0), (0, 2099), (1200, 5), (2099, 0), (2099, 2099)])
@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_nan_anywhere_on_disk_is_refused(tmp_path, kind, cell):
    scores = np.zeros((2100, 2100), np.float32)  # more than is checked together
    scores[cell] = np.nan
    on_disk = stored(tmp_path, scores, kind, (512, 300))
    for call in (mrr, evaluate_edges):
        with pytest.raises(ValueError, match=r"A\[\d+:\d+, \d+:\d+\] must be finite; got 1 "):
            call(on_disk, [[0], [1]], [[0], [1]])


def test_a_device_is_sent_places_and_not_a_mask(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    scores = torch.randn(200, 200)
    queries = np.stack([np.arange(150), np.arange(150)[::-1] + 40])
    queries = queries[:, queries[0] != queries[1]]
    kind, sizes = type(backends.of(scores)), []
    for name in ("adopt", "take_over"):
        send = getattr(kind, name)

        def watched(self, x, send=send):
            if isinstance(x, np.ndarray):
                sizes.append(x.nbytes)
            return send(self, x)

        monkeypatch.setattr(kind, name, watched)
    found = mrr(scores, queries, queries, 100)
    assert 0 < max(sizes) <= 8 * 150
    monkeypatch.setenv("GSNN_EDGES_PATH", "auto")
    assert found == mrr(scores.numpy(), queries, queries, 100)


def test_jax_compiles_once_for_many_numbers_of_queries(monkeypatch):
    jax = pytest.importorskip("jax")
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    scores = jax.numpy.asarray(np.random.default_rng(0).random((64, 64), np.float32))
    with compilations() as compiled:
        for edges in (40, 50, 61):
            before = len(compiled)
            # As many sources, so that the rows have one shape.
            queries = np.stack([np.arange(edges) % 20, 21 + np.arange(edges) % 43])
            mrr(scores, queries, queries, 64)
    assert len(compiled) == before > 0


A = np.arange(9.0).reshape(3, 3)
EDGE = [[0], [1]]


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ((A[0], EDGE, EDGE), ValueError, "A must have 2 dimensions"),
        ((A > 1, EDGE, EDGE), TypeError, "A must hold real numbers"),
        ((A.astype(int) + 2**53, EDGE, EDGE), ValueError, "A must hold whole numbers of at most"),
        ((A, [[3], [0]], EDGE), ValueError, "edge_index must hold sources in 0 .. 2"),
        ((A, EDGE, [[0], [-1]]), ValueError, "all_true_edges must hold node indices, counted"),
        ((A, EDGE, [["a"], ["b"]]), TypeError, "all_true_edges must hold whole numbers"),
        ((A, EDGE, EDGE, 0), ValueError, "query_chunk_size must be at least 1; got 0"),
    ],
)
def test_bad_input_is_explained(arguments, error, phrase):
    with pytest.raises(error, match=phrase):
        mrr(*arguments)
