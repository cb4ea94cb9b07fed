"""The strongest targets of each source, gathered tile by tile."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS, NumpyBackend
from gsnn_edges.scale.products import Tile
from gsnn_edges.scale.storage import read_arrays, write_arrays
from gsnn_edges.scale.tables import pair_frame


@dataclass(frozen=True, eq=False)
class TopTargets:
    """The k targets of the largest scores, for each of N sources; the source itself is one too.

    Attributes
    ----------
    targets : int64 array of shape (N, k)
        Best first; equal scores stand by the number of the target.
    scores : array of shape (N, k)
        Their W.

    Examples
    --------
    >>> import numpy as np
    >>> found = TopTargets(np.array([[1], [2], [0]]), np.array([[0.9], [0.8], [0.3]]))
    >>> found.to_frame(["a", "b", "c"]).to_dict("list")["target"]
    ['b', 'c', 'a']
    """

    targets: np.ndarray
    scores: np.ndarray

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "TopTargets":
        """Read what ``correlate_store(..., out, top=k)`` wrote.

        Raises
        ------
        ValueError
            When the file is broken, or of another kind.
        """
        return cls(*read_arrays(Path(path), ("targets", "scores"))[1])

    def to_frame(self, node_names: Sequence[str] | None = None) -> Any:
        """Give a pandas DataFrame, a row for each pair: "source", "target", "score", "rank".

        Parameters
        ----------
        node_names : sequence of str, optional
            Names that stand for the numbers of nodes.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        nodes, k = self.targets.shape
        frame = pair_frame(
            np.repeat(np.arange(nodes), k), self.targets.reshape(-1), self.scores.reshape(-1),
            node_names, nodes,
        )  # fmt: skip
        frame["rank"] = np.tile(np.arange(1, k + 1), nodes)
        return frame


@dataclass(frozen=True)
class TopSink:
    """Pieces in a folder, one for each band of sources, that hold the best targets so far."""

    folder: Path
    nodes: int
    k: int
    dtype: str

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Merge a tile into its band; one that is in it already changes nothing."""
        upto, targets, scores = self.band(tile, block.dtype)
        if upto >= tile.right:
            return
        found = [
            best_of(targets[rows], scores[rows], block[rows], tile.left, self.k)
            for rows in panels(len(block), block.shape[1] + self.k)
        ]
        targets, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        write_arrays(self.piece(tile), {"upto": tile.right}, {"targets": targets, "scores": scores})

    def band(self, tile: Tile, dtype: Any) -> tuple[int, np.ndarray, np.ndarray]:
        """How far a band has come, and its best targets so far."""
        height = tile.bottom - tile.top
        if not self.piece(tile).exists():
            return 0, np.empty((height, 0), np.int64), np.empty((height, 0), dtype)
        facts, (targets, scores) = read_arrays(self.piece(tile), ("targets", "scores"))
        return facts["upto"], targets, scores

    def piece(self, tile: Tile) -> Path:
        """Where a band is kept."""
        return self.folder / f"{tile.top}.npz"

    def finish(self) -> TopTargets:
        """Join the bands."""
        targets = np.empty((self.nodes, self.k), np.int64)
        scores = np.empty((self.nodes, self.k), self.dtype)
        for path in self.folder.glob("*.npz"):
            top = int(path.stem)
            _, (some, of_them) = read_arrays(path, ("targets", "scores"))
            targets[top : top + len(some)], scores[top : top + len(some)] = some, of_them
        return TopTargets(targets, scores)

    def save(self, facts: Mapping[str, Any]) -> Path:
        """Write the joined bands to a file, and give its path."""
        path, found = self.folder / "result", self.finish()
        write_arrays(path, facts, {"targets": found.targets, "scores": found.scores})
        return path


def best_of(
    targets: np.ndarray, scores: np.ndarray, block: np.ndarray, left: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the k best of those so far and those of a block, whose first target is ``left``."""
    numbers = np.broadcast_to(np.arange(left, left + block.shape[1]), block.shape)
    targets = np.concatenate([targets, numbers], axis=1)
    scores = np.concatenate([scores, block], axis=1)
    # Stable: equal scores stay as they stand, those of smaller targets first.
    _, order = NumpyBackend().sort_rows(-scores)
    order = order[:, :k]
    return np.take_along_axis(targets, order, axis=1), np.take_along_axis(scores, order, axis=1)


def panels(rows: int, width: int) -> list[slice]:
    """Cut rows into slices whose sort stays small.

    >>> panels(5, 2**17)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    height = max(1, BLOCK_ELEMENTS // width)
    return [slice(start, start + height) for start in range(0, rows, height)]


def checked_top(top: Any, nodes: int) -> int | None:
    """Give a number of targets that there are."""
    found: int | None = _validation.whole_number_or_none("top", top, least=1)
    if found is not None and found > nodes:
        raise ValueError(f"top must be at most {nodes}, the nodes that there are; got {found}")
    return found
