"""W that leaves as blocks: to a zarr array, or to a .npy file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from gsnn_edges import _io
from gsnn_edges.scale.products import Tile
from gsnn_edges.scale.rows import write_all
from gsnn_edges.scale.sizes import CHUNK
from gsnn_edges.store.matrix import create_matrix, write_attributes, write_block


@dataclass(frozen=True)
class NpyMatrix:
    """A .npy file of shape (N, N) that is filled tile by tile."""

    path: Path
    nodes: int
    dtype: str

    def prepare(self) -> None:
        """Write the header, and make the file as long as it will be."""
        with self.path.open("wb") as file:
            header = {
                "descr": npy_format.dtype_to_descr(np.dtype(self.dtype)),
                "fortran_order": False,
                "shape": (self.nodes, self.nodes),
            }
            npy_format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + self.nodes**2 * np.dtype(self.dtype).itemsize)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Write a tile, row by row."""
        start = self.path.stat().st_size - self.nodes**2 * block.itemsize
        with self.path.open("r+b", buffering=0) as file:
            for row, values in enumerate(np.ascontiguousarray(block), tile.top):
                file.seek(start + (row * self.nodes + tile.left) * block.itemsize)
                write_all(file, values)
            os.fsync(file.fileno())

    def save(self, facts: Mapping[str, Any]) -> Path:
        """Give the path of the file; it has no room for facts."""
        return self.path


@dataclass(frozen=True)
class ZarrMatrix:
    """A zarr array of shape (N, N) that is filled tile by tile; a chunk is a part of one tile."""

    path: Path
    nodes: int
    dtype: str
    tile: int

    def prepare(self) -> None:
        """Make an array without chunks."""
        _io.discard(self.path)
        create_matrix(self.path, self.nodes, self.dtype, (chunk_edge(self.tile),) * 2)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Write a tile."""
        write_block(self.path, tile.top, tile.left, block)

    def save(self, facts: Mapping[str, Any]) -> Path:
        """Note what W was made of, and give the path of the array."""
        write_attributes(self.path, facts)
        # What a killed process was writing.
        for leftover in self.path.rglob("*.partial"):
            leftover.unlink()
        return self.path


def chunk_edge(tile: int) -> int:
    """Give the edge of chunks that fill a tile; a chunk of two tiles would be written twice.

    >>> chunk_edge(4000), chunk_edge(300)
    (1000, 300)
    """
    return -(-tile // -(-tile // CHUNK))
