"""Tiles of W: products of standardized rows, added up over stretches of observations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import sum_of_sums
from gsnn_edges.channels import block_norms
from gsnn_edges.layer_pairs import mean, to_host
from gsnn_edges.scale.rows import HeldRows, RowFile

Rows = HeldRows | RowFile


class Tile(NamedTuple):
    """A rectangle of W: sources ``top`` to ``bottom``, targets ``left`` to ``right``."""

    number: int
    top: int
    bottom: int
    left: int
    right: int


def tiles(nodes: int, edge: int) -> Iterator[Tile]:
    """Cover W by tiles, those of the first sources first.

    >>> [tuple(tile) for tile in tiles(3, 2)]
    [(0, 0, 2, 0, 2), (1, 0, 2, 2, 3), (2, 2, 3, 0, 2), (3, 2, 3, 2, 3)]
    """
    number = 0
    for top in range(0, nodes, edge):
        for left in range(0, nodes, edge):
            yield Tile(number, top, min(top + edge, nodes), left, min(left + edge, nodes))
            number += 1


@dataclass(frozen=True)
class Products:
    """What makes a tile of W from the rows of both sides, part by part.

    Attributes
    ----------
    parts : pairs of rows
        Sources and targets of each matrix of the mean.
    widths : (int, int)
        Rows of a source and of a target.
    channels : bool
        Whether blocks of products are reduced to their norms.
    """

    ops: Backend
    parts: Sequence[tuple[Rows, Rows]]
    widths: tuple[int, int]
    channels: bool

    def tile(self, tile: Tile) -> np.ndarray:
        """Give one tile of W, on the host."""
        W: np.ndarray = mean(
            to_host(self.reduced(self.product(*part, tile))) for part in self.parts
        )
        return W

    def product(self, sources: Rows, targets: Rows, tile: Tile) -> Array:
        """Multiply all rows of the sources with all of the targets."""
        left, right = self.widths

        def add(total: Array | None, start: int, stop: int) -> Array:
            rows = sources.read(start, tile.top * left, tile.bottom * left)
            columns = targets.read(start, tile.left * right, tile.right * right)
            found = self.ops.matmul(self.ops.take_over(rows), self.ops.take_over(columns))
            if total is not None:
                total += found
                found = total
            # Libraries that compute later would pile up the stretches that they have not used.
            self.ops.to_numpy(found[:1, :1])
            return found

        return sum_of_sums(add, sources.stretches, 1)

    def reduced(self, products: Array) -> Array:
        """Give one number for each pair of nodes."""
        if not self.channels:
            return self.ops.xp.clip(products, -1, 1)
        left, right = self.widths
        return self.ops.call(block_norms, products, left=left, right=right)
