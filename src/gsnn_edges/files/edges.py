"""Edges from files: by the indices of their nodes, or by names."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _checks
from gsnn_edges.files.arrays import READERS, read_array, split_key
from gsnn_edges.files.paths import AnyPath, ending, readable
from gsnn_edges.files.tables import READ, read_table

COLUMNS = ("source", "target")


def read_edges(
    path: AnyPath, node_names: Sequence[str] | None = None, *, name: str = "edges"
) -> NDArray[np.int64]:
    r"""Read edges from a file: pairs of node indices, or of node names.

    Parameters
    ----------
    path : str or path
        ``.csv`` or ``.parquet`` with the columns ``source`` and ``target``; or an array of shape
        (2, E) of indices in any file that `read_array` takes.
    node_names : sequence of str, optional
        Names of the nodes, in their order. Where all ends are among them they are names, even
        where names are numbers; otherwise they must be indices from 0.
    name : str
        What errors call the path.

    Returns
    -------
    int64 ndarray of shape (2, E)
        Sources above targets, in the order of the file, duplicates kept.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    TypeError, ValueError
        For an unknown ending, a file that is not what its ending says, other columns, no edge, or
        ends that are neither indices nor names of nodes.
    ImportError
        When the library that reads it is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "edges.csv")
    >>> _ = file.write_text("source,target\na,c\nb,c\n")
    >>> read_edges(file, ["a", "b", "c"])
    array([[0, 1],
           [2, 2]])
    >>> folder.cleanup()
    """
    file, _ = split_key(path)
    if ending(readable(name, file, READERS)) in READ:
        edges = by_columns(name, path, node_names)
    else:
        edges = _checks.edge_index(name, read_array(path, name=name))
    if edges.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one edge; {str(path)!r} holds none")
    return edges


def by_columns(name: str, path: AnyPath, names: Sequence[str] | None) -> NDArray[np.int64]:
    """Give the edges of a table."""
    table = read_table(path, COLUMNS, name=name)
    ends = [value for column in COLUMNS for value in table[column]]
    places = {one: place for place, one in enumerate(names or ())}
    found = [places.get(str(value), -1) for value in ends]
    strange = [str(value) for value, place in zip(ends, found, strict=True) if place < 0]
    if strange:
        found = [index_of(value) for value in ends]
    if -1 in found:
        wrong = strange[0] if names else str(ends[found.index(-1)])
        raise ValueError(
            f"{name} must hold node indices from 0, or names of nodes; {str(path)!r} has "
            f"{wrong!r}, {way_to_node(wrong, names)}"
        )
    return np.array(found, np.int64).reshape(2, -1)


def index_of(value: Any) -> int:
    """Read an index; -1 where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return -1
    return int(number) if number >= 0 and number.is_integer() else -1


def way_to_node(wrong: str, names: Sequence[str] | None) -> str:
    """Say what may be wrong with the end of an edge."""
    if names is None:
        return "no index: give the names of all nodes too (--names on the command line)"
    close = get_close_matches(wrong, names, 1)
    return f"the name of no node: {f'did you mean {close[0]!r}?' if close else 'look at the names'}"
