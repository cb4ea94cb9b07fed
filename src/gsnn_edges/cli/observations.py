"""Observations in one npz file: what capture gives, for machines where it fits in memory."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import __version__
from gsnn_edges.cli.arrays import from_npz
from gsnn_edges.cli.paths import AnyPath, foreign, readable, whole, writable

FORMAT = "gsnn-edges observations"
VERSION = 1


class Observations(NamedTuple):
    """Activations and gradients of a model's nodes or channels.

    Attributes
    ----------
    a, g : arrays of shape (P, S, C)
        Of P layer pairs, S samples and C columns: activations at a layer, and gradients at the
        next.
    column_nodes : int64 array of shape (C,)
        The node of each column.
    nodes : int
        Number of nodes N.
    score : {"magnitude", "channels"}
        One column for each node, or signed channels.
    node_names : list of str or None
    """

    a: NDArray[Any]
    g: NDArray[Any]
    column_nodes: NDArray[np.int64]
    nodes: int
    score: str
    node_names: list[str] | None


def write_observations(path: AnyPath, found: Observations, *, name: str = "path") -> None:
    """Write observations to an npz file, whole or not at all.

    Parameters
    ----------
    path : str or path
        Ends in ``.npz``.
    found : Observations
    name : str
        What errors call the path.

    Raises
    ------
    ValueError
        For another ending.
    OSError
        Where nothing can be written; the file is then as it was.
    """
    file = writable(name, path, [".npz"])
    facts = {
        "format": FORMAT,
        "format_version": VERSION,
        "gsnn-edges": __version__,
        "nodes": found.nodes,
        "score": found.score,
        "node_names": found.node_names,
    }
    arrays = {"a": found.a, "g": found.g, "column_nodes": found.column_nodes}
    with whole(file) as unfinished:
        header = np.array(json.dumps(facts))
        np.savez(unfinished, allow_pickle=False, header=header, **arrays)


def read_observations(path: AnyPath, *, name: str = "path") -> Observations:
    """Read what `write_observations` wrote.

    Parameters
    ----------
    path : str or path
    name : str
        What errors call the path.

    Returns
    -------
    Observations

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For a file that is broken, of another kind or of a newer format, or values that are not
        finite.

    Notes
    -----
    Peak memory: that of the arrays.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> a, g = np.random.default_rng(0).random((2, 3, 10, 4))
    >>> found = Observations(a, g, np.arange(4), 4, "magnitude", None)
    >>> write_observations(f"{folder.name}/seen.npz", found)
    >>> read_observations(f"{folder.name}/seen.npz").a.shape
    (3, 10, 4)
    >>> folder.cleanup()
    """
    file = readable(name, path, [".npz"])
    try:
        arrays = from_npz(file)
        facts = json.loads(str(arrays.get("header", "{}")))
    except MemoryError:
        raise
    except Exception as error:  # a broken archive has many kinds of errors
        raise foreign(name, file, error) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        held = ", ".join(repr(one) for one in arrays) or "nothing"
        raise ValueError(
            f"{name} must be what capture wrote; {str(path)!r} holds {held}: "
            "capture first, or name another file"
        )
    if facts["format_version"] > VERSION:
        raise ValueError(
            f"{name} must be of format version {VERSION} or older; {str(path)!r} has version "
            f"{facts['format_version']}: install a newer gsnn-edges to read it"
        )
    found = Observations(
        arrays["a"],
        arrays["g"],
        arrays["column_nodes"],
        int(facts["nodes"]),
        facts["score"],
        checked_names(facts["node_names"]),
    )
    check(name, file, found)
    return found


def checked_names(names: Sequence[str] | None) -> list[str] | None:
    """Give names as a list, where there are any."""
    return None if names is None else [str(one) for one in names]


def check(name: str, path: Any, found: Observations) -> None:
    """Reject arrays that do not fit each other, or hold no numbers."""
    shape = found.a.shape
    fits = len(shape) == 3 and found.g.shape == shape and found.column_nodes.shape == shape[2:]
    if not fits or 0 in shape:
        raise foreign(name, path, "its arrays do not fit each other")
    for side in (found.a, found.g):
        if side.dtype.kind != "f" or not np.isfinite(side).all():
            raise foreign(name, path, "its values are not finite numbers")
