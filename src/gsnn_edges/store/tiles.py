"""W as a zarr array that is filled block by block: one form, whoever makes it."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io
from gsnn_edges.store.folders import zarr

FORMAT, VERSION = "gsnn-edges matrix", 2


def make_matrix(
    path: Path, nodes: int, dtype: str, chunks: tuple[int, int], facts: Mapping[str, Any]
) -> None:
    """Make W of shape (N, N) without chunks; a chunk that is lost is read as NaN, never as 0."""
    zarr().create_array(
        os.fspath(path),
        shape=(nodes, nodes),
        dtype=dtype,
        chunks=(min(chunks[0], nodes), min(chunks[1], nodes)),
        compressors=None,  # scores hardly shrink
        fill_value=math.nan,
        attributes={"format": FORMAT, "version": VERSION, **facts},
    )


def opened_matrix(path: Path, mode: str = "r") -> Any:
    """Open W, to read from or to write to."""
    found = zarr().open_array(os.fspath(path), mode=mode)
    return found.with_config({"write_empty_chunks": True})


def write_block(path: Path, top: int, left: int, block: np.ndarray) -> None:
    """Write whole chunks, one by one: several at once would be copied at once.

    When it returns they are on the disk itself, and may be noted.
    """
    array = opened_matrix(path, "r+")
    bottom, right = top + block.shape[0], left + block.shape[1]
    for row, column in chunks_within(array.chunks, (top, bottom), (left, right)):
        low, high = cut(row, array.chunks[0], top, bottom)
        start, stop = cut(column, array.chunks[1], left, right)
        array[low:high, start:stop] = block[low - top : high - top, start - left : stop - left]
        _io.flush(chunk_file(path, row, column))
    for row in range(top // array.chunks[0], -(-bottom // array.chunks[0])):
        _io.flush(chunk_file(path, row, 0).parent)


def cut(number: int, length: int, first: int, last: int) -> tuple[int, int]:
    """Give the part of a chunk that lies within a range."""
    return max(first, number * length), min(last, (number + 1) * length)


def chunks_within(
    chunks: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Give the chunks that a block touches.

    >>> list(chunks_within((2, 4), (2, 5), (0, 4)))
    [(1, 0), (2, 0)]
    """
    for row in range(rows[0] // chunks[0], -(-rows[1] // chunks[0])):
        for column in range(columns[0] // chunks[1], -(-columns[1] // chunks[1])):
            yield row, column


def chunk_file(path: Path, row: int, column: int) -> Path:
    """Give the file of a chunk."""
    return path / "c" / str(row) / str(column)


def facts_of_matrix(path: Path) -> dict[str, Any] | None:
    """Give what W of ours says of itself; None for anything else."""
    try:
        found = dict(opened_matrix(path).attrs)
    except ImportError:
        raise
    except Exception:  # what is there may be anything
        return None
    return found if found.get("format") == FORMAT else None


def check_whole(path: Path, array: Any) -> None:
    """Reject W of ours of which a chunk is missing."""
    if array.attrs.get("format") != FORMAT:
        return
    rows, columns = ((0, length) for length in array.shape)
    missing = [
        (row, column)
        for row, column in chunks_within(array.chunks, rows, columns)
        if not chunk_file(path, row, column).exists()
    ]
    if missing:
        row, column = missing[0]
        raise ValueError(
            f"path must be a whole W; {str(path)!r} lacks {len(missing)} of its chunks, as "
            f"c/{row}/{column}: make it again with resume=False"
        )
