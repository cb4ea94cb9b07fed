"""A matrix W on disk: a zarr array that is filled block by block, or a .npy file."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io
from gsnn_edges.store.observations import OBSERVATIONS, import_zarr

_FORMAT, _VERSION = "gsnn-edges matrix", 2


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
    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """Sources and targets."""
        rows, columns = self.cells.shape
        return int(rows), int(columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scores."""
        dtype: np.dtype[Any] = np.dtype(self.cells.dtype)
        return dtype

    def rows(self, indices: Any) -> np.ndarray:
        """Read the rows of these sources, (k, N)."""
        return self._take(np.asarray(indices, np.int64), 0)

    def columns(self, indices: Any) -> np.ndarray:
        """Read the columns of these targets, (N, k)."""
        return self._take(np.asarray(indices, np.int64), 1)

    def _take(self, indices: np.ndarray, axis: int) -> np.ndarray:
        if not len(indices):
            return np.empty((0, self.shape[1]) if axis == 0 else (self.shape[0], 0), self.dtype)
        where: Any = indices
        if (np.diff(indices) == 1).all():
            where = slice(int(indices[0]), int(indices[-1]) + 1)
        place = (where, slice(None)) if axis == 0 else (slice(None), where)
        in_one = isinstance(self.cells, np.ndarray) or isinstance(where, slice)
        return np.array(self.cells[place] if in_one else self.cells.oindex[place])

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
    path = _io.as_path("path", path)
    if not path.exists():
        raise FileNotFoundError(
            f"path must be a matrix on disk; there is none at {str(path)!r}: look at its folder "
            "and its ending"
        )
    seen = False
    try:
        if path.is_dir():
            cells = import_zarr().open(os.fspath(path), mode="r")
            if not hasattr(cells, "shape"):
                seen = str(cells.attrs.get("format")) == OBSERVATIONS
                cells = cells if seen else cells["W"]
        else:
            cells = np.load(path, mmap_mode="r")
    except ImportError:
        raise
    except Exception as error:  # broken files have many kinds of errors
        raise ValueError(
            f"path must be a whole .npy file or zarr array; {str(path)!r} is broken or of another "
            f"kind ({type(error).__name__}: {error}): write it again, as resume=False does"
        ) from error
    if seen:
        raise ValueError(
            f"path must be a matrix W; {str(path)!r} holds observations: make W of them first, by "
            "correlate_store or gsnn-edges correlate"
        )
    if not hasattr(cells, "shape") or len(cells.shape) != 2 or np.dtype(cells.dtype).kind != "f":
        raise ValueError(
            f"path must be a matrix of floating-point numbers; {str(path)!r} holds "
            f"{getattr(cells, 'shape', 'no array')} {getattr(cells, 'dtype', '')}: name the file "
            "of W itself"
        )
    if not isinstance(cells, np.ndarray):
        _check_whole(path / cells.path, cells)
    return StoredMatrix(path, cells)


def create_matrix(
    path: Path, nodes: int, dtype: str, chunks: tuple[int, int], attributes: Mapping[str, Any]
) -> None:
    """Make W of shape (N, N) without chunks; a chunk that is lost is read as NaN, never as 0."""
    import_zarr().create_array(
        os.fspath(path),
        shape=(nodes, nodes),
        dtype=dtype,
        chunks=(min(chunks[0], nodes), min(chunks[1], nodes)),
        compressors=None,  # scores hardly shrink
        fill_value=math.nan,
        attributes={"format": _FORMAT, "version": _VERSION, **attributes},
    )


def write_block(path: Path, top: int, left: int, block: np.ndarray) -> None:
    """Write a part of W, which is on the disk itself when this returns."""
    array = import_zarr().open_array(os.fspath(path), mode="r+")
    array = array.with_config({"write_empty_chunks": True})
    bottom, right = top + block.shape[0], left + block.shape[1]
    height, width = array.chunks
    # Chunk by chunk: several at once would be copied at once.
    for row, column in _chunks_within(array.chunks, (top, bottom), (left, right)):
        low, start = max(top, row * height), max(left, column * width)
        high, stop = min(bottom, (row + 1) * height), min(right, (column + 1) * width)
        array[low:high, start:stop] = block[low - top : high - top, start - left : stop - left]
        _io.flush(_chunk_file(path, row, column))
    for row in range(top // height, -(-bottom // height)):
        _io.flush(_chunk_file(path, row, 0).parent)


def _chunks_within(
    chunks: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Chunks that a block touches.

    >>> list(_chunks_within((2, 4), (2, 5), (0, 4)))
    [(1, 0), (2, 0)]
    """
    for row in range(rows[0] // chunks[0], -(-rows[1] // chunks[0])):
        for column in range(columns[0] // chunks[1], -(-columns[1] // chunks[1])):
            yield row, column


def _chunk_file(path: Path, row: int, column: int) -> Path:
    return path / "c" / str(row) / str(column)


def read_attributes(path: Path) -> dict[str, Any] | None:
    """Attributes of W that this package made; None for anything else."""
    try:
        attributes = dict(import_zarr().open_array(os.fspath(path), mode="r").attrs)
    except ImportError:
        raise
    except Exception:  # what is there may be anything
        return None
    return attributes if attributes.get("format") == _FORMAT else None


def _check_whole(path: Path, array: Any) -> None:
    """Reject W of this package of which a chunk is missing or cut short."""
    if array.attrs.get("format") != _FORMAT:
        return
    rows, columns = ((0, length) for length in array.shape)
    height, width = array.chunks
    expected = -(-rows[1] // height) * -(-columns[1] // width)
    size = height * width * array.dtype.itemsize
    # What is on the disk is counted, and not what the metadata say.
    whole = sum(file.stat().st_size == size for file in (path / "c").glob("[0-9]*/[0-9]*"))
    if whole > expected or height > rows[1] or width > columns[1]:
        raise ValueError(
            f"path must be a whole W; {str(path)!r} has more chunks than its shape {array.shape} "
            "takes: make it again with resume=False"
        )
    if whole < expected:
        chunks = _chunks_within(array.chunks, rows, columns)
        files = (_chunk_file(path, *chunk) for chunk in chunks)
        first = next(file for file in files if not file.exists() or file.stat().st_size != size)
        raise ValueError(
            f"path must be a whole W; {str(path)!r} lacks {expected - whole} of its chunks, as "
            f"{first.relative_to(path)}: make it again with resume=False"
        )
