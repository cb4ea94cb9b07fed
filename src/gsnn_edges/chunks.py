"""How much of a correlation is on the device at a time."""

from dataclasses import dataclass

from gsnn_edges.backends import Backend

# What the kernel may hold beyond inputs, standardized targets and result, as shares of them. Few
# chunks are better than many: a product leaves the threads of its library spinning for a while.
INPUT_SHARE = 0.5
RESULT_SHARE = 0.1
# Small problems are not worth splitting.
LEAST_BUDGET = 1 << 26
# Of the free memory: the rest is left to sorts, to the allocator and to others.
TARGET_SHARE = 0.5
SOURCE_SHARE = 0.25


@dataclass(frozen=True)
class Chunks:
    """Sources and targets at a time, and bytes for each source."""

    sources: int
    targets: int
    source_bytes: int


def chunk_sizes(
    ops: Backend,
    shape: tuple[int, int, int],
    itemsize: int,
    row_chunk: int | None,
    widths: tuple[int, int] = (1, 1),
) -> Chunks:
    """Choose the chunks for (M, Na, Ng): what fits, and the caller's ``row_chunk`` if given.

    ``widths`` are the columns of a source and of a target.
    """
    observations, sources, targets = shape
    free = ops.free_bytes()
    source, target = (max(1, observations * itemsize * width) for width in widths)
    if free is not None:
        targets = min(targets, max(1, int(TARGET_SHARE * free) // target))
    # A source is moved (on the host it is looked at where it lies), ranked, multiplied and added
    # to the sums so far.
    copies = 1 if ops.ranker().name == "numpy" else 2
    source_bytes = copies * source + 3 * targets * itemsize * widths[0] * widths[1]
    if row_chunk is None:
        inputs = source * sources + target * shape[2]
        budget = INPUT_SHARE * inputs + RESULT_SHARE * sources * shape[2] * itemsize
        budget = max(LEAST_BUDGET, budget)
        budget = budget if free is None else min(budget, SOURCE_SHARE * free)
        row_chunk = max(1, int(budget) // source_bytes)
    return Chunks(min(row_chunk, max(1, sources)), max(1, targets), source_bytes)


def explain_memory(error: Exception, chunks: Chunks, ops: Backend) -> MemoryError | None:
    """Turn a library's own out-of-memory error into one that says which row_chunk would fit."""
    text = f"{type(error).__name__} {error}".lower()
    signs = ("memoryerror", "outofmemory", "out of memory", "resource_exhausted", "can't allocate")
    if not any(sign in text for sign in signs):
        return None
    free = ops.free_bytes()
    room = (
        "unknown" if free is None else str(max(0, int(SOURCE_SHARE * free) // chunks.source_bytes))
    )
    return MemoryError(
        f"row_chunk={chunks.sources} needs about {chunks.sources * chunks.source_bytes:,} bytes "
        f"beside {chunks.targets} targets and the result, which do not fit on {ops.name} "
        f"{ops.device or 'cpu'}; the largest row_chunk that fits now: {room}"
    )
