"""What the NumPy backend adds to the laws."""

import threading

import numpy as np
import pytest

from gsnn_edges import backends
from gsnn_edges.backends import threads
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS


@pytest.mark.parametrize("count", [1, 2])
def test_blocks_fit_the_cache_and_the_threads_share_them(count, monkeypatch):
    monkeypatch.setattr(threads, "allowed_threads", lambda: count)
    shapes, workers, both = [], set(), threading.Barrier(count, timeout=10)

    def look(block, *, ops, dtype):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            both.wait()
        shapes.append(block.shape)
        return block

    x = np.zeros((4000, 500), np.float32)
    backends.load("numpy").map_rows(look, x.T, "float32")
    assert max(rows * length for rows, length in shapes) <= BLOCK_ELEMENTS
    assert len(workers) == count


def test_the_host_path_ranks_torch_and_jax_arrays_in_numpy():
    for name in ("torch", "jax"):
        assert backends.load(name).ranker().name == "numpy"
