"""How much of a correlation is on the device at a time."""

from dataclasses import dataclass, replace
from typing import NoReturn

from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS
from gsnn_edges.backends.splits import SPLITS

# What the kernel may hold beyond inputs, standardized targets and result, as shares of them. Few
# chunks are better than many: a product leaves the threads of its library spinning for a while.
INPUT_SHARE = 0.5
RESULT_SHARE = 0.1
# Small problems are not worth splitting.
LEAST_BUDGET = 1 << 26
# A device needs no large chunks to be busy. Only short operands do: those of the targets are made
# anew for each chunk of sources.
DEVICE_SHARE = 0.04
SHORT_SHARE = 0.25
LEAST_DEVICE_BUDGET = 1 << 28
# Sources that a device multiplies together: a part of a tile takes the time of a whole one.
TILE = 128
# Of the free memory: the rest is left to the allocator and to others.
TARGET_SHARE = 0.6
SOURCE_SHARE = 0.25
# A result that takes more of the free memory of a device than this leaves it block by block.
RESULT_STAYS = 0.2
# Bytes that a device holds for each value while it ranks a block: keys and order with the copies
# that its sort makes of them, the bounds of tied runs with their indices, ranks and their squares.
RANKING_BYTES = 64
# Rounds that the targets make over many devices for a W that is given block by block: a device
# holds such a share of its sources at a time.
ROUNDS = 8


@dataclass(frozen=True)
class Chunks:
    """Sources and targets at a time, and bytes for each source.

    Attributes
    ----------
    leaves : bool
        Whether blocks of the result are to leave the device as they are made.
    """

    sources: int
    targets: int
    source_bytes: int
    leaves: bool = False


def chunk_sizes(
    ops: Backend,
    shape: tuple[int, int, int],
    itemsize: int,
    row_chunk: int | None,
    widths: tuple[int, int] = (1, 1),
    *,
    moved: bool = False,
    may_leave: bool = False,
) -> Chunks:
    """Choose the chunks for (M, Na, Ng): what fits, and the caller's ``row_chunk`` if given.

    ``widths`` are the columns of a source and of a target, ``moved`` says that sources come from
    elsewhere, and ``may_leave`` that the result need not stay on the device.
    """
    observations, sources, targets = shape
    on_host = ops.ranker().name == "numpy"
    source, target = (max(1, observations * itemsize * width) for width in widths)
    result = sources * targets * itemsize
    free = room(ops, observations, source * sources + target * targets, itemsize)
    leaves = may_leave and not on_host and free is not None and result > RESULT_STAYS * free
    if free is not None:
        free = free if on_host or leaves else max(free // 2, free - result)
        targets = min(targets, max(1, int(TARGET_SHARE * free) // target))
    # A source is looked at where it lies, or moved, one ahead; then ranked, multiplied and added
    # to the sums so far.
    copies = 1 if on_host else 4 if moved else 2
    source_bytes = copies * source + 3 * targets * itemsize * widths[0] * widths[1]
    if row_chunk is None:
        inputs = source * sources + target * shape[2]
        wanted = budget(ops, inputs, result, on_host=on_host)
        fit = (wanted if free is None else min(wanted, share(free))) // source_bytes
        row_chunk = max(1, fit if on_host else whole_tiles(fit))
    return Chunks(min(row_chunk, max(1, sources)), max(1, targets), source_bytes, leaves)


def room(ops: Backend, observations: int, inputs: int, itemsize: int) -> int | None:
    """Give the free bytes of a device, less those that ranking a block of the inputs takes."""
    free = ops.free_bytes()
    if free is None or ops.ranker().name == "numpy":
        return free
    block = min(max(BLOCK_ELEMENTS, observations), inputs // itemsize)
    return max(0, free - RANKING_BYTES * block)


def budget(ops: Backend, inputs: int, result: int, *, on_host: bool) -> int:
    """Give the bytes that chunks of sources may take where memory is no question."""
    if on_host:
        return max(LEAST_BUDGET, int(INPUT_SHARE * inputs + RESULT_SHARE * result))
    wanted = (SHORT_SHARE if ops.product in SPLITS else DEVICE_SHARE) * inputs
    return max(LEAST_DEVICE_BUDGET, int(wanted))


def whole_tiles(sources: int) -> int:
    """Give as many sources as fill whole tiles, or fewer than one tile as they are."""
    return sources - sources % TILE if sources > TILE else sources


def share(free: int) -> int:
    """Give the part of the free bytes that is for chunks of sources."""
    return int(SOURCE_SHARE * free)


def halved(chunks: Chunks) -> Chunks | None:
    """Give chunks of half as many sources, or None where there is one already."""
    half = chunks.sources // 2
    return replace(chunks, sources=half) if half else None


def out_of_memory(error: Exception) -> bool:
    """Tell a library's own out-of-memory error from all others."""
    text = f"{type(error).__name__} {error}".lower()
    signs = ("memoryerror", "outofmemory", "out of memory", "resource_exhausted", "can't allocate")
    return any(sign in text for sign in signs)


def explain_memory(error: Exception, chunks: Chunks, ops: Backend) -> MemoryError | None:
    """Turn a library's own out-of-memory error into one that says which row_chunk would fit."""
    if not out_of_memory(error):
        return None
    free = ops.free_bytes()
    fits = None if free is None else min(share(free) // chunks.source_bytes, chunks.sources - 1)
    return MemoryError(
        f"row_chunk={chunks.sources} needs about {chunks.sources * chunks.source_bytes:,} bytes "
        f"beside {chunks.targets} targets and the result, which do not fit on {ops.name} "
        f"{ops.device or 'cpu'}; the largest row_chunk that fits now: "
        f"{'unknown' if fits is None else fits}"
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
