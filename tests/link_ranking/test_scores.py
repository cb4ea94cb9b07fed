"""Scores on disk are ranked as those in memory are, to the last bit."""

import tracemalloc

import numpy as np
import pytest
import rankings
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges import evaluate_edges, mrr
from gsnn_edges.evaluation import scores as module
from gsnn_edges.evaluation.ranking import count
from gsnn_edges.evaluation.ranking import table_of
from gsnn_edges.store import open_matrix

STRANGE = pytest.mark.filterwarnings("ignore:.*edges in edge_index are|.*no candidate but")


def stored(folder, scores, kind):
    """Write scores to disk, in chunks that divide nothing."""
    if kind == "npy":
        np.save(folder / "W.npy", scores)
    else:
        zarr.create_array(folder / "W.zarr", data=scores, chunks=(7, 7))
    return open_matrix(folder / f"W.{kind}")


@pytest.fixture(params=["npy", "zarr"])
def kind(request):
    return request.param


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("chunk", [1, 3, 2048])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_counts_are_those_of_a_loop(tmp_path, kind, axis, chunk, dtype):
    scores, edges, true_edges = rankings.problem(chunk)
    found = count(stored(tmp_path, scores.astype(dtype), kind), edges, true_edges, chunk, axis=axis)
    expected = rankings.counts(scores, edges, true_edges, axis)
    assert_array_equal([found.above, found.level, found.candidates], expected)
    assert_array_equal(found.scores, scores[edges[0], edges[1]])


@STRANGE
@pytest.mark.parametrize("chunk", [1, 6, 2048])
@pytest.mark.parametrize("direction", ["tail", "head", "both"])
def test_metrics_are_those_of_the_matrix_in_memory(tmp_path, kind, chunk, direction):
    rng = np.random.default_rng(chunk)
    scores, edges, true_edges = rankings.problem(0, levels=50)
    scores = (scores + rng.integers(0, 2, scores.shape) / 3).astype(np.float32)
    on_disk = stored(tmp_path, scores, kind)
    options = {"direction": direction, "query_chunk_size": chunk, "seed": 0}
    found, expected = (evaluate_edges(A, edges, true_edges, **options) for A in (on_disk, scores))
    assert found.to_dict() == expected.to_dict()
    assert_array_equal(found.queries.ranks.realistic, expected.queries.ranks.realistic)
    assert mrr(on_disk, edges, true_edges, chunk) == mrr(scores, edges, true_edges)


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_of_a_table(library, axis):
    if library.jit:
        pytest.skip("ranking is eager only")
    scores = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    table = table_of(library.array(scores), axis)
    assert table.width == scores.shape[1 - axis]
    expected = scores.T[[0, 2]] if axis else scores[[0, 2]]
    assert_array_equal(table.ops.to_numpy(table.rows(np.array([0, 2]))), expected)


def test_whole_numbers_become_floats():
    found = table_of(np.arange(4).reshape(2, 2)).rows(np.array([1]))
    assert_array_equal(found, np.array([[2.0, 3.0]]))
    assert found.dtype == np.float64


@pytest.mark.parametrize("call", [mrr, evaluate_edges])
def test_nan_on_disk_is_found(tmp_path, monkeypatch, kind, call):
    monkeypatch.setattr(module, "PANEL_BYTES", 4 * 7 * 7)
    scores = np.zeros((9, 9), np.float32)
    scores[7, 8] = np.nan
    phrase = r"A\[7:9, 7:9\] must be finite; got 1 .* 1:" if kind == "zarr" else r"A\[5:9, 0:9\]"
    with pytest.raises(ValueError, match=phrase):
        call(stored(tmp_path, scores, kind), [[0], [1]], [[0], [1]])


@pytest.mark.parametrize("bytes_", [1, 200, 400, 10**6])
def test_panels_cover_a_matrix_once(tmp_path, monkeypatch, kind, bytes_):
    monkeypatch.setattr(module, "PANEL_BYTES", bytes_)
    covered = np.zeros((20, 20), int)
    for panel in module.panels(stored(tmp_path, np.eye(20, dtype=np.float32), kind)):
        covered[panel] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(
    ("scores", "error", "phrase"),
    [
        (np.zeros((2, 3), np.float32), ValueError, "A must be square"),
        (np.zeros((2, 2), "M8[s]"), ValueError, "matrix of floating-point numbers"),
    ],
)
def test_bad_matrices_on_disk_are_explained(tmp_path, scores, error, phrase):
    with pytest.raises(error, match=phrase):
        evaluate_edges(stored(tmp_path, scores, "npy"), [[0], [1]])


def test_memory_follows_the_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PANEL_BYTES", 10**6)
    nodes = 3000
    scores = np.random.default_rng(0).standard_normal((nodes, nodes), np.float32)
    on_disk = stored(tmp_path, scores, "npy")
    edges = np.random.default_rng(1).integers(0, nodes, (2, 300))
    edges = edges[:, edges[0] != edges[1]]
    expected = mrr(scores, edges, edges)
    tracemalloc.start()
    found = mrr(on_disk, edges, edges, query_chunk_size=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == expected
    assert peak < scores.nbytes / 10
