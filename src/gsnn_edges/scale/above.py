"""Every pair whose score is at least a threshold away from 0, gathered tile by tile."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges._io import format_bytes
from gsnn_edges.scale.products import Tile
from gsnn_edges.scale.sizes import room_in
from gsnn_edges.scale.storage import read_arrays, write_arrays
from gsnn_edges.scale.tables import pair_frame
from gsnn_edges.scale.top import panels

NAMES = ("sources", "targets", "scores")
# A pair that is kept: two numbers and a score, once as found, once joined, once in order; and what
# the allocator keeps of it.
PAIR_BYTES = 72


@dataclass(frozen=True, eq=False)
class PairsAbove:
    """Every pair of nodes with ``|W| >= threshold``, by source, then by target.

    Attributes
    ----------
    sources, targets : int64 arrays of shape (K,)
    scores : array of shape (K,)
        Their W, signed.

    Examples
    --------
    >>> import numpy as np
    >>> found = PairsAbove(np.array([0, 2]), np.array([1, 0]), np.array([0.9, -0.7]))
    >>> found.to_frame(["a", "b", "c"]).to_dict("list")["source"]
    ['a', 'c']
    """

    sources: np.ndarray
    targets: np.ndarray
    scores: np.ndarray

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "PairsAbove":
        """Read what ``correlate_store(..., out, threshold=t)`` wrote.

        Raises
        ------
        ValueError
            When the file is broken, or of another kind.
        """
        return cls(*read_arrays(Path(path), NAMES)[1])

    def to_frame(self, node_names: Sequence[str] | None = None) -> Any:
        """Give a pandas DataFrame, a row for each pair: "source", "target", "score".

        Parameters
        ----------
        node_names : sequence of str, optional
            Names that stand for the numbers of nodes.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        return pair_frame(self.sources, self.targets, self.scores, node_names, None)


@dataclass(frozen=True)
class AboveSink:
    """Pieces in a folder, one for each tile."""

    folder: Path
    threshold: float
    dtype: str
    max_memory: int

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Keep the pairs of a tile, by source, then by target."""
        here = (tile.top, tile.left)
        room = self.most - sum(length_of(p) for p in self.pieces() if place_of(p) != here)
        found = []
        for rows in panels(len(block), block.shape[1]):
            part = block[rows]
            row, column = np.nonzero(abs(part) >= self.threshold)
            found.append((row + rows.start + tile.top, column + tile.left, part[row, column]))
            room -= len(row)
            if room < 0:
                self.reject_many()
        arrays = [np.concatenate(column) for column in zip(*found, strict=True)]
        name = f"{tile.top}-{tile.left}-{len(arrays[0])}.npz"
        write_arrays(self.folder / name, {}, dict(zip(NAMES, arrays, strict=True)))

    @property
    def most(self) -> int:
        """How many pairs the bound on the memory can hold."""
        return max(0, room_in(self.max_memory) // PAIR_BYTES)

    def reject_many(self) -> None:
        """Say that the pairs do not fit."""
        raise ValueError(
            f"threshold must leave at most {self.most} pairs, which max_memory="
            f"{format_bytes(self.max_memory)} can hold; got {self.threshold}, and more of them: "
            "raise one of the two, with resume=False, or write all of W to a .zarr"
        )

    def pieces(self) -> list[Path]:
        """Give the pieces by their first source and target."""
        return sorted(self.folder.glob("[0-9]*.npz"), key=place_of)

    def finish(self) -> PairsAbove:
        """Join the pieces, band by band."""
        paths = self.pieces()
        count = sum(map(length_of, paths))
        joined = [np.empty(count, kind) for kind in (np.int64, np.int64, self.dtype)]
        start = 0
        for band in bands(paths):
            parts = [read_arrays(path, NAMES)[1] for path in band]
            arrays = [np.concatenate(column) for column in zip(*parts, strict=True)]
            # Stable: the pieces of a band stand by their targets.
            order = np.argsort(arrays[0], kind="stable")
            for whole, values in zip(joined, arrays, strict=True):
                whole[start : start + len(order)] = values[order]
            start += len(order)
        return PairsAbove(*joined)

    def save(self, facts: Mapping[str, Any]) -> Path:
        """Write the joined pieces to a file, and give its path."""
        path, found = self.folder / "result", self.finish()
        write_arrays(path, facts, {name: getattr(found, name) for name in NAMES})
        return path


def place_of(path: Path) -> tuple[int, int]:
    """First source and target of a piece."""
    top, left, _ = path.stem.split("-")
    return int(top), int(left)


def length_of(path: Path) -> int:
    """How many pairs a piece holds."""
    return int(path.stem.split("-")[2])


def bands(paths: list[Path]) -> Iterator[list[Path]]:
    """Split sorted pieces into those of the same sources."""
    tops = dict.fromkeys(place_of(path)[0] for path in paths)
    for top in tops:
        yield [path for path in paths if place_of(path)[0] == top]


def checked_threshold(threshold: Any) -> float | None:
    """Give a number that is not negative."""
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise TypeError(f"threshold must be a number; got {threshold!r}")
    if not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must be at least 0, and finite; got {threshold}")
    return float(threshold)
