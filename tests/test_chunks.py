"""Chunks fit the memory that is free, and the caller's wish comes first."""

from dataclasses import dataclass

import numpy as np
import pytest

from gsnn_edges import backends, correlation, cross_correlation
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.chunks import chunk_sizes, explain_memory


@dataclass(frozen=True)
class Small(NumpyBackend):
    """A device with little memory, or one that does not tell."""

    free: int | None = None

    def free_bytes(self):
        return self.free


def test_a_small_problem_is_one_chunk():
    chunks = chunk_sizes(Small(free=1 << 33), (100, 50, 60), 4, None)
    assert (chunks.sources, chunks.targets) == (50, 60)


@pytest.mark.parametrize("free", [None, 1 << 20, 1 << 26, 1 << 40])
def test_chunks_fit_the_free_memory(free):
    shape = (10_000, 5000, 4000)
    chunks = chunk_sizes(Small(free=free), shape, 4, None)
    assert 1 <= chunks.sources <= 5000
    assert 1 <= chunks.targets <= 4000
    if free is None:
        assert chunks.targets == 4000
    elif free > 1 << 21:
        held = chunks.sources * chunks.source_bytes + chunks.targets * 10_000 * 4
        assert held <= free


def test_row_chunk_is_kept_but_for_what_there_is():
    assert chunk_sizes(Small(free=1 << 20), (1000, 500, 500), 4, 300).sources == 300
    assert chunk_sizes(Small(free=1 << 20), (1000, 500, 500), 4, 700).sources == 500


def test_targets_that_do_not_fit_come_in_chunks_and_change_nothing(monkeypatch):
    a, g = (np.random.default_rng(s).standard_normal((200, 40), np.float32) for s in (0, 1))
    expected = cross_correlation(a, g)
    seen = []

    def tight(ops, shape, itemsize, row_chunk, widths):
        seen.append(chunk_sizes(Small(free=16_000), shape, itemsize, row_chunk, widths))
        return seen[0]

    monkeypatch.setattr(correlation, "chunk_sizes", tight)
    found = cross_correlation(a, g)
    assert seen[0].targets < 40
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7)


OUT_OF_MEMORY = [
    MemoryError("Unable to allocate 9 GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:12])
def test_running_out_of_memory_names_the_chunk_that_fits(error, monkeypatch):
    def full(self, a, b):
        raise error

    monkeypatch.setattr(NumpyBackend, "matmul", full)
    x = np.random.default_rng(0).standard_normal((50, 6))
    with pytest.raises(MemoryError, match=r"row_chunk=6 .* largest row_chunk that fits now: \d+"):
        cross_correlation(x, x)


def test_other_errors_stay_what_they_are():
    chunks = chunk_sizes(Small(), (10, 5, 5), 4, None)
    assert explain_memory(RuntimeError("shape mismatch"), chunks, backends.load("numpy")) is None
