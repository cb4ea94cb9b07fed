"""How much of a correlation is on the device at a time."""

from dataclasses import dataclass, replace
from traceback import clear_frames
from typing import NoReturn

from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS

# What the kernel may hold beyond inputs, standardized targets and result, as shares of them. Few
# chunks are better than many: a product leaves the threads of its library spinning for a while.
_INPUT_SHARE = 0.5
_RESULT_SHARE = 0.1
# Small problems are not worth splitting.
_LEAST_BUDGET = 1 << 26
# A device needs no large chunks to be busy.
_DEVICE_SHARE = 0.05
_LEAST_DEVICE_BUDGET = 1 << 28
# Of the free memory: the rest is left to the allocator and to others.
_TARGET_SHARE = 0.6
_SOURCE_SHARE = 0.25
_FREE_SHARE = 0.9
# A result that takes more of the free memory of a device than this leaves it block by block.
_RESULT_STAYS = 0.2
# Bytes that a device holds for each value while it ranks a block: keys and order with the copies
# that its sort makes of them, the bounds of tied runs with their indices, ranks and their squares.
RANKING_BYTES = 64
# Products of a source with all targets that there are at once: the sum of a group of stretches, the
# sum of groups, and what becomes of it.
_SUMS_HELD = 3
# Rounds that the targets make over many devices for a W that is given block by block: a device
# holds such a share of its sources at a time.
ROUNDS = 8


@dataclass(frozen=True)
class Chunks:
    """Sources and targets at a time, and what they hold at their peak.

    Attributes
    ----------
    source_bytes : int
        Of each source: its rows, and its products with the targets.
    beside : int
        Of all else: standardized targets, the result where it stays, the ranking of a block.
    leaves : bool
        Whether blocks of the result are to leave the device as they are made.
    """

    sources: int
    targets: int
    source_bytes: int
    beside: int = 0
    leaves: bool = False


def chunk_sizes(
    ops: Backend,
    shape: tuple[int, int, int],
    itemsize: int,
    row_chunk: int | None,
    widths: tuple[int, int] = (1, 1),
    *,
    may_leave: bool = False,
) -> Chunks:
    """Chunks for (M, Na, Ng): what fits, or the caller's ``row_chunk``.

    ``widths`` are the columns of a source and of a target; ``may_leave`` says that the result
    need not stay on the device.
    """
    observations, sources, targets = shape
    on_host = ops.ranker().name == "numpy"
    source, target = (max(1, observations * itemsize * width) for width in widths)
    inputs, result = source * sources + target * targets, sources * targets * itemsize
    ranked = min(max(BLOCK_ELEMENTS, observations), inputs // itemsize)
    ranking = 0 if on_host else RANKING_BYTES * ranked
    free = ops.free_bytes()
    free = None if free is None else max(0, free - ranking)
    leaves = may_leave and not on_host and free is not None and result > _RESULT_STAYS * free
    if free is not None:
        free = free if on_host or leaves else max(free // 2, free - result)
        targets = min(targets, max(1, int(_TARGET_SHARE * free) // target))
    products = _SUMS_HELD * targets * itemsize * widths[0] * widths[1]
    # A device holds the columns beside what they become.
    source_bytes = source * (1 if on_host else 2) + products
    if row_chunk is None:
        if on_host:
            budget = max(_LEAST_BUDGET, int(_INPUT_SHARE * inputs + _RESULT_SHARE * result))
        else:
            budget = max(_LEAST_DEVICE_BUDGET, int(_DEVICE_SHARE * inputs))
        budget = budget if free is None else min(budget, int(_SOURCE_SHARE * free))
        row_chunk = max(1, budget // source_bytes)
    beside = target * targets + ranking + (0 if leaves else result)
    return Chunks(min(row_chunk, max(1, sources)), max(1, targets), source_bytes, beside, leaves)


def halved(chunks: Chunks) -> Chunks | None:
    """Chunks of half as many sources, or None where there is one already."""
    half = chunks.sources // 2
    return replace(chunks, sources=half) if half else None


def out_of_memory(error: Exception) -> bool:
    """Whether an error is a library's way to say that memory ran out."""
    text = f"{type(error).__name__} {error}".lower()
    signs = (
        "memoryerror",
        "outofmemory",
        "out of memory",
        "resource_exhausted",
        "can't allocate",
        "alloc_failed",
    )
    return any(sign in text for sign in signs)


def raise_explained(error: Exception, chunks: Chunks, ops: Backend) -> NoReturn:
    """Raise an error; one of memory in words that say which row_chunk would fit."""
    if not out_of_memory(error):
        raise error
    _release(error)
    raise MemoryError(
        f"row_chunk={chunks.sources} needs about {chunks.sources * chunks.source_bytes:,} bytes "
        f"beside {chunks.targets} targets and the result, which do not fit on {ops.name} "
        f"{ops.device or 'cpu'}; {_way_out(chunks, ops.free_bytes())}"
    ) from error


def _release(error: BaseException | None) -> None:
    """Drop what the functions held that an error came through: it fills the memory still."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _way_out(chunks: Chunks, free: int | None) -> str:
    """Which row_chunk fits where so many bytes are free, if any does."""
    if free is None:
        return "the largest row_chunk that fits now: unknown"
    fits = (int(_FREE_SHARE * free) - chunks.beside) // chunks.source_bytes
    fits = min(fits, chunks.sources - 1)
    if fits >= 1:
        return f"the largest row_chunk that fits now: {fits}"
    return (
        f"no row_chunk fits now: targets and result take about {chunks.beside:,} of the {free:,} "
        "bytes that are free: free some, or correlate some columns of g at a time"
    )


def sources_at_once(targets: int, left: int, right: int) -> int:
    """Source nodes that one of many devices multiplies at a time: some 2**23 products.

    >>> sources_at_once(1000, 1, 1), sources_at_once(1000, 3, 3)
    (8388, 932)
    """
    return max(1, BLOCK_ELEMENTS // max(1, targets * left * right))
