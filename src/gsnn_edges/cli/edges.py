"""Edges from files: by the indices of their nodes, or by names."""

import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.cli.arrays import READERS, read_array, split_key
from gsnn_edges.cli.paths import AnyPath, ending, readable
from gsnn_edges.cli.tables import READ, read_table

COLUMNS = ("source", "target")
BY = ("index", "name")
WANTED = {
    None: "node indices from 0, or names of nodes",
    "index": "node indices from 0",
    "name": "names of nodes",
}
# Larger numbers are no indices of anything, and not all of them whole.
LARGEST = 1 << 53


def read_edges(
    path: AnyPath,
    node_names: Sequence[str] | None = None,
    *,
    name: str = "edges",
    by: str | None = None,
) -> NDArray[np.int64]:
    r"""Read edges from a file: pairs of node indices, or of node names.

    Parameters
    ----------
    path : str or path
        ``.csv`` or ``.parquet`` with the columns ``source`` and ``target``; or an array of shape
        (2, E) of indices in any file that `read_array` takes.
    node_names : sequence of str, optional
        Names of the nodes, in their order.
    name : str
        What errors call the path.
    by : {"index", "name"}, optional
        What the ends are. Left out, they are names where all of them are names of nodes, and else
        indices from 0. Where names look like numbers, numbers that may be both are refused, and
        so are some that are names beside others that are none.

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
        ends that are neither indices nor names of nodes, or may be either.
    ImportError
        When the library that reads it is not installed.

    Warns
    -----
    UserWarning
        Where names look like numbers and ``by`` is left out, saying as what numbers were taken.

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
    if by is not None:
        _validation.choice("by", by, BY)
    file, _ = split_key(path)
    if ending(readable(name, file, READERS)) in READ:
        edges = by_columns(name, path, node_names, by)
    else:
        edges = _validation.edge_index(name, read_array(path, name=name))
    if edges.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one edge; {str(path)!r} holds none")
    return edges


def by_columns(
    name: str, path: AnyPath, names: Sequence[str] | None, by: str | None
) -> NDArray[np.int64]:
    """Give the edges of a table."""
    table = read_table(path, COLUMNS, name=name)
    ends = [value for column in COLUMNS for value in table[column]]
    places = {one: place for place, one in enumerate(names or ())}
    named = [-1 if by == "index" else places.get(str(value), -1) for value in ends]
    numbered = [-1 if by == "name" else index_of(value) for value in ends]
    if by is None and any(one.isdecimal() for one in places):
        check_numeric(name, path, ends, named, numbered, len(places))
    found = numbered if -1 in named else named
    if -1 in found:
        neither = [str(v) for v, k, i in zip(ends, named, numbered, strict=True) if k < 0 > i]
        wrong = neither[0] if neither else str(ends[named.index(-1)])
        raise ValueError(
            f"{name} must hold {WANTED[by]}; {str(path)!r} has {wrong!r}, "
            f"{'no index' if by == 'index' else way_to_node(wrong, names)}"
        )
    return np.array(found, np.int64).reshape(2, -1)


def check_numeric(
    name: str, path: AnyPath, ends: Sequence[Any], named: list[int], numbered: list[int], nodes: int
) -> None:
    """Reject numbers that may be indices or names; here names of nodes look like numbers."""
    if -1 in numbered or named == numbered:
        return
    held = f"{name} must say whether its numbers are indices or names of nodes; {str(path)!r} has"
    unnamed = [str(end) for end, place in zip(ends, named, strict=True) if place < 0]
    if 0 < len(unnamed) < len(ends):
        raise ValueError(
            f"{held} {unnamed[0]!r}, which is no name, beside some that are: correct it, or pass "
            "by='index'"
        )
    if not unnamed and max(numbered) < nodes:
        raise ValueError(f"{held} some that may be both: pass by='name' or by='index'")
    taken, other = ("indices", "name") if unnamed else ("names", "index")
    warnings.warn(
        f"the numbers in {str(path)!r} are taken as {taken} of nodes: pass by={other!r} where they "
        "are not",
        stacklevel=4,
    )


def index_of(value: Any) -> int:
    """Read an index; -1 where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return -1
    return int(number) if 0 <= number <= LARGEST and number.is_integer() else -1


def way_to_node(wrong: str, names: Sequence[str] | None) -> str:
    """Say what may be wrong with the end of an edge."""
    if names is None:
        return "no index: give the names of all nodes too (--names on the command line)"
    close = get_close_matches(wrong, names, 1)
    return f"the name of no node: {f'did you mean {close[0]!r}?' if close else 'look at the names'}"
