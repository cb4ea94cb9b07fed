"""Blocks of pairs, whatever their size, count the same permutations."""

import numpy as np
import pytest

from gsnn_edges import backends
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.significance import permutation_test
from gsnn_edges.significance.counting import counted

LAYERS, SAMPLES, PERMUTATIONS, NODES = 3, 40, 25, 7
OPTIONS = {"n_resamples": PERMUTATIONS, "seed": 7}
CHANNELS = {"a_nodes": np.arange(14) // 2, "g_nodes": np.arange(14) % 7, "alternative": "greater"}

POOLED, MEAN = CHANNELS | {"layers": "pooled"}, {"layers": "mean"}
SOME = {"candidates": np.arange(4 * NODES * NODES).reshape(2 * NODES, -1) % 3 == 0}


def observations(columns=2 * NODES):
    rng = np.random.default_rng(1)
    a, g = rng.standard_normal((2, LAYERS, SAMPLES, columns)) + rng.random((2, LAYERS, 1, columns))
    return [x.reshape(-1, columns).astype(np.float32) for x in (a, g)]


def tables(found):
    return [found.statistic, found.deviation, found.exceedances, found.p, found.p_familywise]


@pytest.mark.parametrize(
    "options",
    [{}, MEAN, POOLED, CHANNELS, SOME],
    ids=["columns", "mean of columns", "pooled channels", "channels", "candidates"],
)
@pytest.mark.parametrize("share", [0.5, 1e-15], ids=["all targets", "one target at a time"])
@pytest.mark.parametrize("host_rows", [(1024, 4096), (3, 5)], ids=str)
@pytest.mark.parametrize("row_chunk", [None, 1, 4, 1000])
def test_blocks_do_not_change_the_answer(row_chunk, host_rows, share, options, monkeypatch):
    a, g = observations()
    expected = tables(permutation_test(a, g, SAMPLES, **OPTIONS, **options))
    monkeypatch.setattr("gsnn_edges.chunks._TARGET_SHARE", share)
    monkeypatch.setattr("gsnn_edges.significance.counting.HOST_ROWS", host_rows)
    found = tables(permutation_test(a, g, SAMPLES, row_chunk=row_chunk, **OPTIONS, **options))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-6)


def test_progress_counts_every_step(monkeypatch):
    shown = []

    def track(steps, total, label, *, verbose):
        shown.append((total, len(list(steps)), label, verbose))
        return []

    monkeypatch.setattr("gsnn_edges.significance.counting.track", track)
    monkeypatch.setattr("gsnn_edges.significance.counting.HOST_ROWS", (3, 5))
    permutation_test(*observations(), SAMPLES, **OPTIONS)
    # 14 columns: five chunks of sources and three tiles of targets.
    steps = 5 * 3 * PERMUTATIONS
    assert shown == [(steps, steps, "permutations", False)]


def test_counted_counts_what_is_at_least_as_large(library):
    count = library.array(np.array([[3, 0, 5]], dtype=np.int32))
    found, least = (library.array(np.float32([x])) for x in ([0.5, 0.1, 0.2], [0.5, 0.2, 0.1]))
    counts = backends.of(count).call(counted, count, found, least)
    np.testing.assert_array_equal(library.numpy(counts), [[4, 0, 6]])


def test_out_of_memory_names_a_chunk(monkeypatch):
    def full(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(NumpyBackend, "matmul", full)
    with pytest.raises(MemoryError, match="row_chunk=14 needs about"):
        permutation_test(*observations(), SAMPLES, n_resamples=1)
