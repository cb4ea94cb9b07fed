"""How much of a correlation is on the device at a time."""

from dataclasses import dataclass, replace
from traceback import clear_frames
from typing import NoReturn

from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS

# What the kernel may hold beyond inputs, standardized targets and result, as shares of them. Few
# chunks are better than many: a product leaves the threads of its library spinning for a while.
INPUT_SHARE = 0.5
RESULT_SHARE = 0.1
# Small problems are not worth splitting.
LEAST_BUDGET = 1 << 26
# A device needs no large chunks to be busy.
DEVICE_SHARE = 0.05
LEAST_DEVICE_BUDGET = 1 << 28
# Of the free memory: the rest is left to the allocator and to others.
TARGET_SHARE = 0.6
SOURCE_SHARE = 0.25
FREE_SHARE = 0.9
# A result that takes more of the free memory of a device than this leaves it block by block.
RESULT_STAYS = 0.2
# Bytes that a device holds for each value while it ranks a block: keys and order with the copies
# that its sort makes of them, the bounds of tied runs with their indices, ranks and their squares.
RANKING_BYTES = 64
# Products of a source with all targets that there are at once: the sum of a group of stretches, the
# sum of groups, and what becomes of it.
SUMS_HELD = 3
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
    """Choose the chunks for (M, Na, Ng): what fits, and the caller's ``row_chunk`` if given.

    ``widths`` are the columns of a source and of a target; ``may_leave`` says that the result
    need not stay on the device.
    """
    observations, sources, targets = shape
    on_host = ops.ranker().name == "numpy"
    source, target = (max(1, observations * itemsize * width) for width in widths)
    inputs, result = source * sources + target * targets, sources * targets * itemsize
    ranking = 0 if on_host else ranking_bytes(observations, inputs // itemsize)
    free = ops.free_bytes()
    free = None if free is None else max(0, free - ranking)
    leaves = may_leave and not on_host and free is not None and result > RESULT_STAYS * free
    if free is not None:
        free = free if on_host or leaves else max(free // 2, free - result)
        targets = min(targets, max(1, int(TARGET_SHARE * free) // target))
    products = SUMS_HELD * targets * itemsize * widths[0] * widths[1]
    # A device holds the columns beside what they become.
    source_bytes = source * (1 if on_host else 2) + products
    if row_chunk is None:
        wanted = budget(inputs, result, on_host=on_host)
        wanted = wanted if free is None else min(wanted, int(SOURCE_SHARE * free))
        row_chunk = max(1, wanted // source_bytes)
    beside = target * targets + ranking + (0 if leaves else result)
    return Chunks(min(row_chunk, max(1, sources)), max(1, targets), source_bytes, beside, leaves)


def ranking_bytes(observations: int, values: int) -> int:
    """Give what a device holds while it ranks a block of so many values in all."""
    return RANKING_BYTES * min(max(BLOCK_ELEMENTS, observations), values)


def budget(inputs: int, result: int, *, on_host: bool) -> int:
    """Give the bytes that chunks of sources may take where memory is no question."""
    if on_host:
        return max(LEAST_BUDGET, int(INPUT_SHARE * inputs + RESULT_SHARE * result))
    return max(LEAST_DEVICE_BUDGET, int(DEVICE_SHARE * inputs))


def halved(chunks: Chunks) -> Chunks | None:
    """Give chunks of half as many sources, or None where there is one already."""
    half = chunks.sources // 2
    return replace(chunks, sources=half) if half else None


def out_of_memory(error: Exception) -> bool:
    """Tell a library's own out-of-memory error from all others."""
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


def explain_memory(error: Exception, chunks: Chunks, ops: Backend) -> MemoryError | None:
    """Turn a library's own out-of-memory error into one that says which row_chunk would fit."""
    if not out_of_memory(error):
        return None
    let_go(error)
    free = ops.free_bytes()
    return MemoryError(
        f"row_chunk={chunks.sources} needs about {chunks.sources * chunks.source_bytes:,} bytes "
        f"beside {chunks.targets} targets and the result, which do not fit on {ops.name} "
        f"{ops.device or 'cpu'}; {way_out(chunks, free)}"
    )


def let_go(error: BaseException | None) -> None:
    """Let go of what the functions held that an error came through: it fills the memory still."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def way_out(chunks: Chunks, free: int | None) -> str:
    """Say which row_chunk fits where so many bytes are free, if any does."""
    if free is None:
        return "the largest row_chunk that fits now: unknown"
    fits = (int(FREE_SHARE * free) - chunks.beside) // chunks.source_bytes
    fits = min(fits, chunks.sources - 1)
    if fits >= 1:
        return f"the largest row_chunk that fits now: {fits}"
    return (
        f"no row_chunk fits now: targets and result take about {chunks.beside:,} of the {free:,} "
        "bytes that are free: free some, or correlate some columns of g at a time"
    )


def raise_explained(error: Exception, chunks: Chunks, ops: Backend) -> NoReturn:
    """Raise what `explain_memory` makes of an error, or the error itself."""
    explained = explain_memory(error, chunks, ops)
    if explained is None:
        raise error
    raise explained from error


def sources_at_once(targets: int, left: int, right: int) -> int:
    """Give the sources that one of many devices multiplies at a time: some 2**23 products.

    >>> sources_at_once(1000, 1, 1), sources_at_once(1000, 3, 3)
    (8388, 932)
    """
    return max(1, BLOCK_ELEMENTS // max(1, targets * left * right))
