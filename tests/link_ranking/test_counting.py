"""Counts of one pass equal a slow loop, in every library, direction and pool."""

import numpy as np
import pytest
import rankings
from numpy.testing import assert_array_equal

from gsnn_edges import backends
from gsnn_edges.evaluation import competitors
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.ranking import count


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("share", [None, 0.6])
@pytest.mark.parametrize("chunk", [3, 2048])
def test_equals_a_loop_over_all_pairs(library, axis, share, chunk):
    if library.jit:
        pytest.skip("ranking is eager only")
    scores, edges, true_edges = rankings.problem(chunk)
    allowed = None if share is None else np.random.default_rng(1).random(scores.shape) < share
    if allowed is not None:
        allowed[edges[0], edges[1]] = True
    pool = None if allowed is None else Pool(len(scores), mask=allowed)
    found = count(library.array(scores), edges, true_edges, chunk, axis=axis, pool=pool)
    expected = rankings.counts(scores, edges, true_edges, axis, allowed)
    assert_array_equal([found.above, found.level, found.candidates], expected)
    assert_array_equal(found.scores, scores[edges[0], edges[1]])


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8"])
def test_scores_come_back_as_they_are(dtype):
    scores, edges, true_edges = rankings.proper_problem(0)
    found = count(scores.astype(dtype), edges, true_edges, 7)
    assert_array_equal(found.scores, scores[edges[0], edges[1]])


def test_bfloat16_scores_of_torch():
    torch = pytest.importorskip("torch")
    scores, edges, true_edges = rankings.proper_problem(0)
    found = count(torch.from_numpy(scores).to(torch.bfloat16), edges, true_edges, 7)
    assert_array_equal(found.scores, scores[edges[0], edges[1]])
    assert_array_equal(found.above, rankings.counts(scores, edges, true_edges)[0])


def test_competitors_are_the_first_two_counts():
    scores, edges, true_edges = rankings.proper_problem(0)
    found = competitors(scores, edges, true_edges, 7)
    assert_array_equal(found, rankings.counts(scores, edges, true_edges)[:2])


def test_a_matrix_that_is_not_square():
    scores = np.array([[0.1, 0.9, 0.8, 0.2], [0.3, 0.3, 0.1, 0.2]])
    edges = np.array([[0, 1], [2, 3]])
    for axis in (0, 1):
        found = count(scores, edges, edges, 1, axis=axis)
        expected = rankings.counts(scores, edges, edges, axis)
        assert_array_equal([found.above, found.level, found.candidates], expected)


def test_a_device_is_told_places_and_not_a_mask(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    scores = torch.randn(200, 200)
    queries = np.stack([np.arange(150), np.arange(150)[::-1] + 40])
    kind, sizes = type(backends.of(scores)), []
    for name in ("adopt", "take_over"):
        give = getattr(kind, name)

        def watched(self, x, give=give):
            if isinstance(x, np.ndarray):
                sizes.append(x.nbytes)
            return give(self, x)

        monkeypatch.setattr(kind, name, watched)
    above, level = competitors(scores, queries, queries, 100)
    assert 0 < max(sizes) <= 8 * 150
    monkeypatch.setenv("GSNN_EDGES_PATH", "auto")
    expected = competitors(scores.numpy(), queries, queries, 100)
    assert_array_equal([above, level], expected)


def test_jax_compiles_once_for_many_numbers_of_queries(monkeypatch):
    jax = pytest.importorskip("jax")
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    scores = jax.numpy.asarray(np.random.default_rng(0).random((64, 64), np.float32))
    compilations = []

    def listen(event, duration, **given):
        compilations.append(event) if "backend_compile" in event else None

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for edges in (40, 50, 61):
            before = len(compilations)
            # As many sources, so that the rows have one shape.
            queries = np.stack([np.arange(edges) % 20, np.arange(edges) % 61])
            competitors(scores, queries, queries, 64)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert before > 0
    assert len(compilations) == before
