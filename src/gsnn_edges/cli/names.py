"""Names of nodes from a file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from gsnn_edges.cli.paths import AnyPath, ending, foreign, readable
from gsnn_edges.cli.tables import read_table

ENDINGS = (".txt", ".csv", ".parquet", ".json")


def read_names(path: AnyPath, *, name: str = "node_names") -> list[str]:
    r"""Read the names of nodes, in the order of the nodes.

    Parameters
    ----------
    path : str or path
        ``.txt`` with a name on each line, ``.json`` with a list of names, or ``.csv`` or
        ``.parquet`` with a column ``name``.
    name : str
        What errors call the path.

    Returns
    -------
    list of str

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For another ending, a file that is not what its ending says, no name, or one name twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "names.txt")
    >>> _ = file.write_text("TP53\nMDM2\n")
    >>> read_names(file)
    ['TP53', 'MDM2']
    >>> folder.cleanup()
    """
    file = readable(name, path, ENDINGS)
    if ending(file) in (".txt", ".json"):
        found = from_text(name, file)
    else:
        found = [str(one) for one in read_table(file, ["name"], name=name)["name"]]
    if not found:
        raise ValueError(f"{name} must hold at least one name; {str(path)!r} holds none")
    twice = [one for one, times in Counter(found).items() if times > 1]
    if twice:
        raise ValueError(
            f"{name} must be different; {str(path)!r} has {twice[0]!r} more than once: number them"
        )
    return found


def from_text(name: str, path: Path) -> list[str]:
    """Read lines, or a JSON list."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found: Any = json.loads(text) if ending(path) == ".json" else text.split("\n")
    except ValueError as error:
        raise foreign(name, path, error) from error
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise foreign(name, path, "it holds no list of texts")
    return [one.strip() for one in found if one.strip()]
