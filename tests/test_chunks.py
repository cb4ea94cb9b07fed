"""Chunks fit the memory that is free, and the caller's wish comes first."""

import weakref
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from gsnn_edges import correlation, cross_correlation
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS
from gsnn_edges.backends.numpy_backend import NumpyBackend
from gsnn_edges.chunks import RANKING_BYTES, Chunks, chunk_sizes, raise_explained
from gsnn_edges.options import CorrelationOptions


@dataclass(frozen=True)
class Small(NumpyBackend):
    """A device with little memory, or one that does not tell."""

    free: int | None = None

    def free_bytes(self):
        return self.free


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


def test_a_small_problem_is_one_chunk_and_row_chunk_is_kept_but_for_what_there_is():
    chunks = chunk_sizes(Small(free=1 << 33), (100, 50, 60), 4, None)
    assert (chunks.sources, chunks.targets) == (50, 60)
    for wish, sources in ((300, 300), (700, 500)):
        assert chunk_sizes(Small(free=1 << 20), (1000, 500, 500), 4, wish).sources == sources


def test_targets_that_do_not_fit_come_in_chunks_and_change_nothing(monkeypatch):
    a, g = (np.random.default_rng(s).standard_normal((200, 40), np.float32) for s in (0, 1))
    expected = cross_correlation(a, g)
    seen = []

    def tight(ops, *given, **options):
        seen.append(chunk_sizes(Small(free=16_000), *given, **options))
        return seen[0]

    monkeypatch.setattr(correlation, "chunk_sizes", tight)
    found = cross_correlation(a, g)
    assert seen[0].targets < 40
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7)


@dataclass(frozen=True)
class Card(Small):
    """A device of its own, that ranks by itself."""

    name: ClassVar[str] = "card"


GB = 10**9


def held(chunks, shape):
    """Bytes of standardized targets, chunk and ranking, and of the result if it stays."""
    observations, sources, targets = shape
    result = 0 if chunks.leaves else 4 * sources * targets
    beside = 4 * chunks.targets * observations + result + RANKING_BYTES * BLOCK_ELEMENTS
    assert chunks.beside == beside
    # Columns, rows, and three products with all targets: of a group, of all groups, clipped.
    assert chunks.source_bytes == 4 * 2 * observations + 3 * 4 * chunks.targets
    return beside + chunks.sources * chunks.source_bytes


@pytest.mark.parametrize("free", [6 * GB, 23 * GB, 75 * GB, 135 * GB])
@pytest.mark.parametrize(
    "shape", [(300_000, 10_000, 10_000), (100_000, 10_000, 10_000), (1000, 100_000, 100_000)]
)
def test_all_that_is_held_fits_a_device(free, shape):
    chunks = chunk_sizes(Card(free=free), shape, 4, None, may_leave=True)
    assert held(chunks, shape) <= 0.95 * free


def test_the_largest_goal_keeps_to_its_memory():
    shape = 300_000, 10_000, 10_000
    chunks = chunk_sizes(Card(free=110 * GB), shape, 4, None, may_leave=True)
    assert (chunks.targets, chunks.leaves) == (10_000, False)
    assert held(chunks, shape) <= 14.5 * GB
    assert chunk_sizes(Card(free=110 * GB), shape, 4, 200).sources == 200


def test_a_result_that_stays_leaves_half_of_the_memory_to_the_rest():
    chunks = chunk_sizes(Card(free=6 * GB), (100_000, 100_000, 10_000), 4, None)
    assert 0.25 * 6 * GB < 4 * 100_000 * chunks.targets < 0.5 * 6 * GB


def test_a_result_leaves_where_it_would_not_fit_beside_the_rest():
    shape = 1000, 100_000, 100_000
    leaves = [
        chunk_sizes(Card(free=free), shape, 4, None, may_leave=may).leaves
        for free, may in ((300 * GB, True), (100 * GB, True), (100 * GB, False))
    ]
    assert leaves == [False, True, False]
    assert not chunk_sizes(Small(free=GB), shape, 4, None, may_leave=True).leaves


OUT_OF_MEMORY = [
    MemoryError("Unable to allocate 9 GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
]


@dataclass(frozen=True)
class Narrow(NumpyBackend):
    """A library that runs out of memory in products of more than so many sources."""

    most: int = 0
    error: Exception = field(default_factory=MemoryError)
    seen: list = field(default_factory=list, compare=False)

    def matmul(self, a, b):
        self.seen.append(len(a))
        if len(a) > self.most:
            raise self.error
        return super().matmul(a, b)


def correlate_on(ops, x, row_chunk=None):
    options = CorrelationOptions(row_chunk=row_chunk)
    return correlation.multiply(*correlation.operands(x, x, ops, "float32", options))


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((50, 8))


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:12])
def test_running_out_of_memory_halves_the_chunk_once_and_says_so(error, x):
    ops = Narrow(most=4, error=error)
    with pytest.warns(UserWarning, match="row_chunk=8 did not fit .* going on with row_chunk=4"):
        found = correlate_on(ops, x)
    assert ops.seen == [8, 4, 4]
    np.testing.assert_allclose(found, cross_correlation(x, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:12])
def test_running_out_again_names_the_chunk_that_fits(error, x):
    ops = Narrow(most=0, error=error)
    message = r"row_chunk=4 .* largest row_chunk that fits now: [0-3]$"
    with pytest.warns(UserWarning, match="going on"), pytest.raises(MemoryError, match=message):
        correlate_on(ops, x)
    assert ops.seen == [8, 4]


def test_one_source_that_does_not_fit_is_the_end(x):
    with pytest.raises(MemoryError, match=r"row_chunk=1 .* no row_chunk fits now: targets and"):
        correlate_on(Narrow(), x, row_chunk=1)


@dataclass(frozen=True)
class Holding(NumpyBackend):
    """A library whose memory is free when nobody holds its blocks any more."""

    blocks: list = field(default_factory=list, compare=False)
    free: int = 1 << 20

    def matmul(self, a, b):
        self.blocks.append(weakref.ref(a))
        try:
            return self.multiply(a, b)
        except MemoryError as error:
            # Both errors hold on to the block.
            raise RuntimeError("out of memory") from error

    def multiply(self, a, b):
        raise MemoryError

    def free_bytes(self):
        held = any(block() is not None for block in self.blocks)
        return 0 if held else self.free


def test_what_fits_is_asked_when_nothing_is_held(x):
    message = r"row_chunk=4 .* largest row_chunk that fits now: 3$"
    with pytest.warns(UserWarning, match="going on"), pytest.raises(MemoryError, match=message):
        correlate_on(Holding(), x, row_chunk=8)


def test_targets_that_fill_all_are_said_to(x):
    with pytest.warns(UserWarning, match="going on"), pytest.raises(MemoryError) as caught:
        correlate_on(Holding(free=500), x, row_chunk=8)
    assert "no row_chunk fits now: targets and result take about" in str(caught.value)
    assert "correlate some columns of g at a time" in str(caught.value)


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (None, "unknown"),
        (2000, "fits now: 8"),
        (10**6, "fits now: 99"),
        (1112, "no row_chunk fits now"),
        (1300, "fits now: 1"),
    ],
)
def test_the_way_out_is_what_is_left_beside_the_rest(free, expected):
    with pytest.raises(MemoryError, match=expected):
        raise_explained(MemoryError(), Chunks(100, 50, 100, beside=1000), Small(free=free))


def test_any_other_error_comes_at_once(x):
    ops = Narrow(error=RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        correlate_on(ops, x)
    assert ops.seen == [8]
