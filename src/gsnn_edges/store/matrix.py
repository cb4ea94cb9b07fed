"""A matrix W on disk, read by rows or by columns."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges.store.folders import checked_path, zarr
from gsnn_edges.store.tiles import check_whole

# Of the rows that `blocks` gives at a time.
BLOCK_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """Scores of all pairs of nodes, in a file; made by `open_matrix`.

    Attributes
    ----------
    path : Path
    cells
        The zarr array or the memory-mapped .npy behind it.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> np.save(f"{folder.name}/W.npy", np.arange(9.0).reshape(3, 3))
    >>> W = open_matrix(f"{folder.name}/W.npy")
    >>> W.shape, W.columns([0, 2]).tolist()
    ((3, 3), [[0.0, 2.0], [3.0, 5.0], [6.0, 8.0]])
    >>> folder.cleanup()
    """

    path: Path
    cells: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Sources and targets."""
        rows, columns = self.cells.shape
        return int(rows), int(columns)

    @property
    def ndim(self) -> int:
        """Give 2."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scores."""
        found: np.dtype[Any] = np.dtype(self.cells.dtype)
        return found

    def rows(self, indices: Any) -> np.ndarray:
        """Read the rows of these sources, (k, N)."""
        return self.taken(indices, 0)

    def columns(self, indices: Any) -> np.ndarray:
        """Read the columns of these targets, (N, k)."""
        return self.taken(indices, 1)

    def taken(self, indices: Any, axis: int) -> np.ndarray:
        """Read rows or columns, as they lie side by side where they do."""
        indices = np.asarray(indices)
        if not len(indices):
            return np.empty((0, self.shape[1]) if axis == 0 else (self.shape[0], 0), self.dtype)
        first, last = int(indices.min()), int(indices.max()) + 1
        where: Any = indices
        if last - first == len(indices) and (np.diff(indices) == 1).all():
            where = slice(first, last)
        place = (where, slice(None)) if axis == 0 else (slice(None), where)
        cells = self.cells
        if isinstance(cells, np.ndarray) or isinstance(where, slice):
            return np.array(cells[place])
        found: np.ndarray = cells.oindex[place]
        return found

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Give all rows, some at a time, each time with the number of the first."""
        count, width = self.shape
        step = max(1, BLOCK_BYTES // max(1, width * self.dtype.itemsize))
        for top in range(0, count, step):
            yield top, self.rows(np.arange(top, min(count, top + step)))

    def to_numpy(self) -> np.ndarray:
        """Read it whole."""
        return np.array(self.cells[...])


def open_matrix(path: Any) -> StoredMatrix:
    """Open W on disk: a .npy file, or a zarr array (in a group by the name ``W``).

    Parameters
    ----------
    path : str or path

    Returns
    -------
    StoredMatrix
        Nothing is read yet. `mrr` and `evaluate_edges` take it as they take an array.

    Raises
    ------
    FileNotFoundError
        Where nothing is there.
    ValueError
        For what is no matrix of floating-point numbers, and for W of this package of which a part
        is missing.
    ImportError
        When it is a zarr, and zarr is not installed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> np.save(f"{folder.name}/W.npy", np.eye(3))
    >>> open_matrix(f"{folder.name}/W.npy").rows([2])
    array([[0., 0., 1.]])
    >>> folder.cleanup()
    """
    path = checked_path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"path must be a matrix on disk; there is none at {str(path)!r}: look at its folder "
            "and its ending"
        )
    try:
        cells = zarr_cells(path) if path.is_dir() else np.load(path, mmap_mode="r")
    except ImportError:
        raise
    except Exception as error:  # broken files have many kinds of errors
        raise ValueError(
            f"path must be a whole .npy file or zarr array; {str(path)!r} is broken or of another "
            f"kind ({type(error).__name__}: {error}): write it again, as resume=False does"
        ) from error
    if not hasattr(cells, "shape") or len(cells.shape) != 2 or np.dtype(cells.dtype).kind != "f":
        raise ValueError(
            f"path must be a matrix of floating-point numbers; {str(path)!r} holds "
            f"{getattr(cells, 'shape', 'no array')} {getattr(cells, 'dtype', '')}: name the file "
            "of W itself"
        )
    if not isinstance(cells, np.ndarray):
        check_whole(path, cells)
    return StoredMatrix(path, cells)


def zarr_cells(path: Path) -> Any:
    """Open the array of a zarr, or the one named W of a group."""
    found = zarr().open(os.fspath(path), mode="r")
    return found if hasattr(found, "shape") else found["W"]
