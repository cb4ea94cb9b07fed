"""How much of a correlation is in memory at a time, from the bound on all of it."""

from collections.abc import Callable
from dataclasses import dataclass

from gsnn_edges._io import format_bytes
from gsnn_edges.backends import Backend
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS, allowed_threads

# Beside the arrays that are counted: threads and buffers of the libraries; and, as a share of the
# bound, what the allocator keeps back.
FIXED_BYTES = 8 << 20
COUNTED_SHARE = 0.88
# What compiling takes where a library compiles (measured: 130 MB).
COMPILER_BYTES = 144 << 20
# What ranking holds for each value of a block: keys, order, bounds of runs, ranks (measured: 57).
RANKING_BYTES = 60
# Observations that are read and multiplied at a time. Longer stretches save no time.
STRETCH = 2048
# Nodes that are worth ranking together.
USUAL_BLOCK = 64
# A tile is worth holding rows for from here on; smaller ones make more reads than products.
USUAL_TILE = 256
# An edge of a chunk of W on disk, at most: 4 MB each.
CHUNK = 1024
# Of the memory that is free on a device that is not the host.
DEVICE_SHARE = 0.5


@dataclass(frozen=True)
class Job:
    """What the sizes follow from.

    Attributes
    ----------
    nodes, observations, parts : int
        N, the observations of a matrix, and the matrices of the mean.
    widest, widths : int and (int, int)
        Columns of a node that are read, and rows of it that are multiplied, on both sides.
    read, item : int
        Bytes of a value in the store, and of one that is computed.
    unit, line : int
        Observations and columns that the store reads at a time, before it puts them together.
    shared : bool
        Whether columns are ranked in blocks that threads share, and not all at once.
    compiled : bool
        Whether rows are compiled for, and not products alone: principal directions are.
    copies : int
        Operands of a product: 1 where they are read in place, more where they are copied.
    """

    nodes: int
    observations: int
    parts: int
    widest: int
    widths: tuple[int, int]
    read: int
    item: int
    copies: int
    unit: int
    line: int
    shared: bool
    compiled: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of all standardized rows of all parts, both sides."""
        rows = self.nodes * sum(self.widths)
        return rows * self.observations * self.parts * self.item

    def ranking_bytes(self, nodes: int) -> int:
        """Bytes that ranking so many nodes takes."""
        values = nodes * self.widest * self.observations
        # As read, side by side for the threads, ranked; and gathered where nodes have several.
        arrays = values * (2 * self.read + self.item)
        if self.widest > 1:
            arrays += values * (self.read + self.item)
        if self.copies > 1:
            arrays += values * self.item
        columns = max(self.line, nodes * self.widest)
        arrays += 2 * min(self.unit, self.observations) * columns * self.read
        together = allowed_threads() * max(BLOCK_ELEMENTS, self.observations)
        busy = min(values, together) if self.shared else values
        return arrays + busy * RANKING_BYTES

    def tile_bytes(self, nodes: int) -> int:
        """Bytes that a tile of so many sources and targets takes."""
        left, right = (nodes * width for width in self.widths)
        operands = (left + right) * min(STRETCH, self.observations) * self.item * self.copies
        # Sums of sums hold four products at most; the mean and its last term are on the host.
        return operands + (4 * left * right + 3 * nodes * nodes) * self.item


@dataclass(frozen=True)
class Sizes:
    """Nodes that are ranked at a time, nodes on an edge of a tile, and whether rows are held."""

    block: int
    tile: int
    held: bool


def sizes_for(job: Job, max_memory: int, ops: Backend) -> Sizes:
    """Choose the largest that fit; the bound is on the host, devices have their own."""
    tiling = COMPILER_BYTES if ops.name == "jax" else 0
    ranking = tiling if job.compiled or ops.ranker().name != "numpy" else 0
    least = FIXED_BYTES + max(job.ranking_bytes(1) + ranking, job.tile_bytes(1) + tiling)
    least = int(least / COUNTED_SHARE) + 1
    if max_memory < least:
        raise ValueError(
            f"max_memory must hold a node of {job.observations} observations while it is ranked; "
            f"got {format_bytes(max_memory)}: give {format_bytes(least)} or more"
        )
    room = room_in(max_memory)
    left = room - job.row_bytes
    usual = max(
        job.ranking_bytes(min(USUAL_BLOCK, job.nodes)) + ranking,
        job.tile_bytes(min(USUAL_TILE, job.nodes)) + tiling,
    )
    held = left >= usual
    room = left if held else room
    block, tile = room - ranking, room - tiling
    if ops.ranker().name != "numpy" and (free := ops.free_bytes()) is not None:
        block, tile = (min(limit, int(DEVICE_SHARE * free)) for limit in (block, tile))
    return Sizes(
        whole_lines(largest(job.ranking_bytes, block, job.nodes), job.widest, job.line),
        even(largest(job.tile_bytes, tile, job.nodes), job.nodes),
        held,
    )


def room_in(max_memory: int) -> int:
    """Give the bytes of a bound that arrays may take."""
    return int(COUNTED_SHARE * max_memory) - FIXED_BYTES


def largest(cost: Callable[[int], int], limit: int, most: int) -> int:
    """Find the largest number from 1 to ``most`` whose cost is within the limit, by halving."""
    low, high = 1, max(1, most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= limit else (low, middle - 1)
    return low


def whole_lines(nodes: int, widest: int, columns: int) -> int:
    """Round so many nodes down to columns that a store keeps side by side, or to a part of them.

    >>> whole_lines(1000, 1, 64), whole_lines(50, 1, 64), whole_lines(50, 3, 64)
    (960, 32, 42)
    """
    line = max(1, columns // widest)
    return nodes - nodes % line if nodes >= line else 1 << (nodes.bit_length() - 1)


def even(edge: int, nodes: int) -> int:
    """Give the edge of as few tiles, about equal, each of whole chunks.

    >>> even(7, 10), even(2100, 4100)
    (5, 2052)
    """
    count = max(1, -(-nodes // edge))
    edge = max(1, -(-nodes // count))
    chunks = -(-edge // CHUNK)
    return -(-edge // chunks) * chunks
