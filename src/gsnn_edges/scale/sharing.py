"""Bytes of the programs of `sharded`, as XLA lays them out on each of many devices."""

from dataclasses import dataclass

from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS
from gsnn_edges.chunks import ROUNDS, sources_at_once

# Measured from XLA's own account of the compiled programs (CPU, JAX 0.10), in shares of the
# observations of a side: standardizing it, and a value that is ranked, of 4 bytes. Where all values
# are ranked at once, XLA does so for both sides at the same time.
STANDARDIZING = 2.8
RANKED = 17.5 / 4
# Of a chunk of sources, beside the targets that pass by.
CHUNK_SHARE = 1.7


@dataclass(frozen=True)
class Shared:
    """One correlation on each of some devices.

    Attributes
    ----------
    own : int
        Source and target nodes of a device.
    nodes, channels : int
        All target nodes, and columns of a node.
    observations, length : int
        All observations of a column, and those that are ranked together.
    item : int
        Bytes of a number.
    """

    own: int
    nodes: int
    channels: int
    observations: int
    length: int
    item: int

    def side(self, nodes: int) -> int:
        """Bytes of the observations of so many nodes, of one side."""
        return nodes * self.channels * self.observations * self.item

    def ranking(self, nodes: int) -> int:
        """Bytes of ranking so many nodes, in blocks of a bounded size."""
        node = self.length * self.channels
        block = max(node, BLOCK_ELEMENTS // node * node)
        values = min(nodes * self.channels * self.observations, block)
        return int(RANKED * values * self.item)

    def at_once(self, nodes: int) -> bool:
        """Whether so many nodes are ranked in one block."""
        return nodes * self.channels * self.observations <= BLOCK_ELEMENTS

    @property
    def row_chunk(self) -> int:
        """Sources that are multiplied at a time."""
        return min(self.own, sources_at_once(self.nodes, self.channels, self.channels))

    @property
    def product(self) -> int:
        """Bytes of the products of such a chunk with the targets that pass."""
        return self.row_chunk * self.own * self.channels**2 * self.item

    def whole(self) -> tuple[int, int, int, int]:
        """Bytes of inputs, of standardized rows, of W and of the rest, where W stays."""
        side = self.side(self.own)
        ranking = self.ranking(self.own) * (2 if self.at_once(self.own) else 1)
        rows = int(2 * STANDARDIZING * side)
        return 2 * side, rows, self.own * self.nodes * self.item, ranking + self.product

    def blocks(self) -> tuple[int, int, int, int]:
        """Give the same where W leaves block by block, and only standardized targets stay."""
        each = -(-self.own // ROUNDS)
        targets, chunk = self.side(self.own), self.side(each)
        ranking = int(STANDARDIZING * chunk) + self.ranking(each)
        rest = max(0, ranking - 2 * targets, int(CHUNK_SHARE * chunk)) + self.product
        return chunk, 3 * targets, each * self.nodes * self.item, rest
