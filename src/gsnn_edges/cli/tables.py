"""Files of users and of the commands: arrays, tables, names, edges, observations, W."""

import csv
import json
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _io, _validation

AnyPath = str | PathLike[str]
# Arrays of a file by their names; "" where a file holds one without a name.
Arrays = dict[str, Any]

TABLES = (".csv", ".parquet")
_NAME_ENDINGS = (".txt", *TABLES, ".json")
_ENDS = ("source", "target")
_WANTED = {
    None: "node indices from 0, or names of nodes",
    "index": "node indices from 0",
    "name": "names of nodes",
}
# Larger numbers are no indices of anything, and not all of them whole.
_LARGEST = 1 << 53
_OBSERVATIONS = "observations"


def ending(path: AnyPath) -> str:
    """Last part of a path in small letters, as ".csv"."""
    return Path(path).suffix.lower()


def check_ending(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Path with one of these endings.

    Raises
    ------
    TypeError, ValueError
        For what is no path, and for another ending.
    """
    if not isinstance(path, str | PathLike):
        raise TypeError(f"{name} must be a path; got {type(path).__name__}: pass a str or a Path")
    if ending(path) not in endings:
        raise ValueError(
            f"{name} must end in {', '.join(endings)}; got {str(path)!r}: the ending says how a "
            "file is read and written"
        )
    return Path(path)


def readable(name: str, path: AnyPath, endings: Collection[str] | None = None) -> Path:
    """Path of a file that exists and is not empty, or of a folder that ends in .zarr.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, IsADirectoryError
    """
    file = Path(path) if endings is None else check_ending(name, path, endings)
    if not file.exists():
        close: list[str] = []
        if file.parent.is_dir():
            close = get_close_matches(file.name, sorted(os.listdir(file.parent)), 1)
        way = f"did you mean {str(file.parent / close[0])!r}?" if close else "look at its folder"
        raise FileNotFoundError(
            f"{name} must be a file that is there; there is none at {str(path)!r}: {way}"
        )
    if file.is_dir() and ending(file) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: name a file")
    if file.is_file() and file.stat().st_size == 0:
        raise ValueError(f"{name} must hold something; {str(path)!r} is empty: write it again")
    return file


def writable(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Path that can be written to; to be called before long work.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, IsADirectoryError, PermissionError
    """
    file = check_ending(name, path, endings)
    folder = file.parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{name} must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(folder)!r} first"
        )
    if file.is_dir() and ending(file) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: add a name")
    if ending(file) == ".parquet":
        _pyarrow()
    try:
        with TemporaryDirectory(dir=folder, prefix=".unfinished-"):
            pass
    except OSError as error:
        raise PermissionError(
            f"{name} must lie in a folder that can be written; {str(folder)!r} cannot "
            f"({error.strerror}): choose another"
        ) from error
    return file


def check_outputs(outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Check that no output is an input or another output, whatever paths lead there.

    Parameters
    ----------
    outputs, inputs : mapping of options to a path, several, or None
        Inputs may name an array behind a colon, as ``data.npz:x``.

    Raises
    ------
    ValueError
        Naming both options.
    """
    used = list(_places(inputs))
    for option, text, place in _places(outputs):
        for other, theirs, at in used:
            # The same file by a hard link, or on a disk that ignores capitals.
            same = place.exists() and at.exists() and place.samefile(at)
            if place == at or at in place.parents or same:
                raise ValueError(
                    f"{option} must be a file of its own; {text!r} is also {other} {theirs!r}, "
                    "which would be overwritten: choose another name"
                )
        used.append((option, text, place))


def _places(options: Mapping[str, Any]) -> Iterator[tuple[str, str, Path]]:
    for option, paths in options.items():
        for path in [paths] if isinstance(paths, str) else paths or ():
            yield option, path, Path(_split_key(path)[0]).resolve()


def _broken(name: str, path: Path, error: Any) -> ValueError:
    """Error for a file that is not what its ending says."""
    reason = " ".join(str(error).split())[:200]
    # NumPy advises to unpickle, which runs code of whoever wrote the file.
    if "Object arrays" in reason:
        reason = "it holds Python objects, which are not unpickled"
    elif "allow_pickle" in reason:
        reason = "its first bytes are those of something else"
    return ValueError(
        f"{name} must be a whole {ending(path)} file; {str(path)!r} is broken or something else "
        f"({reason}): give it its true ending, or write it again"
    )


def _pyarrow(module: str = "pyarrow") -> Any:
    return _validation.imported(module, ".parquet files need pyarrow", "files")


def read_array(path: AnyPath, *, name: str = "path") -> NDArray[Any]:
    """Read an array of numbers from a file, by its ending.

    Parameters
    ----------
    path : str or path
        ``.npy``; ``.npz``, ``.safetensors`` or a ``.zarr`` group, with the name of the array behind
        a colon where there are several (``data.npz:x``); a bare ``.zarr`` array; ``.csv`` (numbers
        and commas, with or without a line of names) and ``.parquet`` (columns of numbers), whose
        array has a row for each row.
    name : str
        What errors call the path.

    Returns
    -------
    ndarray
        Of the file's dtype and shape; float64 of two dimensions from a csv. NaN and infinity come
        as they are.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For an unknown ending, a file that is not what its ending says, no array or several
        without a name, or values that are no real numbers.
    ImportError
        When the library that reads it is not installed; the message says what to install.

    Notes
    -----
    The whole array is read to memory; of a csv three times its bytes. Nothing is unpickled: arrays
    of Python objects are refused.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> np.savez(f"{folder.name}/data.npz", x=np.eye(2), y=np.ones(2))
    >>> read_array(f"{folder.name}/data.npz:y")
    array([1., 1.])
    >>> folder.cleanup()
    """
    text, key = _split_key(path)
    file = readable(name, text, _READERS)
    found = _tried(name, file, lambda: _READERS[ending(file)](file))
    array: Any = _chosen(name, file, found, key)
    if callable(array):
        array = _tried(name, file, array)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must hold real numbers; {str(path)!r} holds dtype {array.dtype}: convert it "
            "first"
        )
    return np.asarray(array)


def _split_key(path: AnyPath) -> tuple[AnyPath, str | None]:
    """Split "data.npz:x" into the file and the name of an array in it."""
    text = str(path)
    file, colon, key = text.rpartition(":")
    if colon and ending(Path(file)) in _READERS and not Path(text).exists():
        return file, key
    return path, None


def _chosen(name: str, path: Path, found: Arrays, key: str | None) -> Any:
    """Take the array that is asked for, or the only one."""
    names = ", ".join(repr(one) for one in sorted(found)) or "none"
    if key is None and len(found) != 1:
        raise ValueError(
            f"{name} must name one of the arrays in {str(path)!r}, which are {names}: put the "
            f"name behind a colon, as {path.name}:{min(found, default='x')}"
        )
    if key is not None and key not in found:
        raise ValueError(f"{name} must name an array in {str(path)!r}; got {key!r}: it has {names}")
    return next(iter(found.values())) if key is None else found[key]


def _tried(name: str, file: Path, read: Callable[[], Any]) -> Any:
    """Read, and say of which file an error is."""
    try:
        return read()
    except (ImportError, MemoryError, PermissionError):
        raise
    except _NoNumber as error:
        raise ValueError(
            f"{name} must hold numbers, with commas between them; {str(file)!r} {error}"
        ) from error
    except Exception as error:  # zarr, safetensors and pyarrow have kinds of errors of their own
        raise _broken(name, file, error) from error


def _from_npy(path: Path) -> Arrays:
    """Read an .npy file."""
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it holds several arrays")
        return {"": array}


def _from_npz(path: Path) -> Arrays:
    """Read all arrays of an .npz file."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        if isinstance(found, np.ndarray):
            raise ValueError("it holds one array without a name")
        return {key: found[key] for key in found.files}


def _from_safetensors(path: Path) -> Arrays:
    """Read all arrays of a .safetensors file."""
    numpy = _validation.imported(
        "safetensors.numpy", ".safetensors files need safetensors", "files"
    )
    found: Arrays = numpy.load_file(path)
    return found


def _from_zarr(path: Path) -> Arrays:
    """Open a .zarr array, or the arrays of a group; each is read when it is asked for."""
    zarr = _validation.imported("zarr", ".zarr files need zarr", "files")
    opened = zarr.open(path, mode="r")
    arrays = dict(opened.arrays()) if isinstance(opened, zarr.Group) else {"": opened}
    return {key: _reader_of(array) for key, array in arrays.items()}


def _reader_of(array: Any) -> Callable[[], NDArray[Any]]:
    """Give what reads a zarr array, unless it would be unpickled."""

    def read() -> NDArray[Any]:
        # Old zarr arrays may name a codec that unpickles whatever the file holds.
        if array.dtype.kind not in "fiub" or "pickle" in str(array.metadata.to_dict()).lower():
            raise ValueError(
                f"arrays must hold real numbers, not pickled; got {array!r}: save it as numbers"
            )
        found: NDArray[Any] = np.asarray(array[...])
        return found

    return read


def _from_csv(path: Path) -> Arrays:
    """Read a csv of numbers, with or without a line of names; "#" begins no comment."""
    first, named, rest = _first_line(path)
    if named and all(_is_number(field.strip("# ")) for field in first):
        raise _NoNumber(f"has {first[0]!r} in line 1: take the # away, or drop the row")
    if named and not rest:
        raise ValueError("it has a line of names and no line of numbers")
    skip = int(named)
    try:
        values = np.loadtxt(
            path, delimiter=",", skiprows=skip, ndmin=2, encoding="utf-8-sig", quotechar='"',
            comments=None,
        )  # fmt: skip
    except ValueError as error:
        raise _first_wrong(path, first, named) or error from error
    return {"": values}


def _first_line(path: Path) -> tuple[list[str], bool, bool]:
    """Read the first line of a csv; say whether it is one of names, and whether others follow."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.reader(file), [])
        rest = any(line.strip() for line in file)
    return first, not all(_is_number(field) for field in first), rest


def column_names(path: AnyPath) -> list[str] | None:
    """Names of the columns of a csv or parquet file that `read_array` has read; None without."""
    file = Path(path)
    if ending(file) == ".csv":
        first, named, _ = _first_line(file)
        return [field.strip() for field in first] if named else None
    if ending(file) == ".parquet":
        parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
        return [str(name) for name in parquet.read_schema(file).names]
    return None


class _NoNumber(ValueError):
    """A csv that holds something else than numbers, with the place of the first."""


def _first_wrong(path: Path, first: list[str], named: bool) -> _NoNumber | None:
    """Find the first value of a csv that is no number, or the first line of another length."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        for row in lines:
            for mark in ";\t|":
                if mark in "".join(row):
                    return _NoNumber(f"has {mark!r} in line {lines.line_num}: write commas instead")
            if lines.line_num > 1 and row and row[0].lstrip().startswith("#"):
                return _NoNumber(
                    f"has {row[0]!r} in line {lines.line_num}: take the # away, or drop the row"
                )
            if row and len(row) != len(first):
                return _NoNumber(
                    f"has {len(row)} values in line {lines.line_num} and {len(first)} in the "
                    "first: write as many in each"
                )
            strange = [place for place, field in enumerate(row) if not _is_number(field)]
            if strange and (lines.line_num > 1 or not named):
                head = first[strange[0]].strip() if named else str(strange[0] + 1)
                return _NoNumber(
                    f"has {row[strange[0]]!r} in line {lines.line_num}, column {head!r}: drop that "
                    "column, or write numbers in it"
                )
    return None


def _is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _from_parquet(path: Path) -> Arrays:
    """Read the columns of a parquet file, side by side."""
    parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
    table = parquet.read_table(path)
    if table.num_columns == 0 or table.num_rows == 0:
        raise ValueError("it has no rows")
    return {"": np.column_stack([column.to_numpy() for column in table.columns])}


_READERS: dict[str, Callable[[Path], Arrays]] = {
    ".npy": _from_npy,
    ".npz": _from_npz,
    ".zarr": _from_zarr,
    ".safetensors": _from_safetensors,
    ".csv": _from_csv,
    ".parquet": _from_parquet,
}


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
    file = readable(name, path, _NAME_ENDINGS)
    if ending(file) in (".txt", ".json"):
        found = _from_text(name, file)
    else:
        found = [str(one) for one in _read_table(file, ["name"], name=name)["name"]]
    if not found:
        raise ValueError(f"{name} must hold at least one name; {str(path)!r} holds none")
    twice = [one for one, times in Counter(found).items() if times > 1]
    if twice:
        raise ValueError(
            f"{name} must be different; {str(path)!r} has {twice[0]!r} more than once: number them"
        )
    return found


def _from_text(name: str, path: Path) -> list[str]:
    """Read lines, or a JSON list."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found: Any = json.loads(text) if ending(path) == ".json" else text.split("\n")
    except ValueError as error:
        raise _broken(name, path, error) from error
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _broken(name, path, "it holds no list of texts")
    return [one.strip() for one in found if one.strip()]


def _read_table(
    path: AnyPath, columns: Sequence[str] | None = None, *, name: str = "path"
) -> dict[str, list[Any]]:
    r"""Read a table from a csv or parquet file.

    Parameters
    ----------
    path : str or path
        ``.csv``, UTF-8, with commas and a first line of names; or ``.parquet``.
    columns : sequence of str, optional
        The columns to give; left out, all of them.
    name : str
        What errors call the path.

    Returns
    -------
    dict of str to list
        Texts from a csv; what the file holds from a parquet. All lists are of equal length.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For another ending, a file that is not what its ending says, a column that is not there
        (the message names those that are), or a line with more or fewer values.
    ImportError
        For parquet without pyarrow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "edges.csv")
    >>> _ = file.write_text("source,target\na,b\n")
    >>> _read_table(file)
    {'source': ['a'], 'target': ['b']}
    >>> folder.cleanup()
    """
    file = readable(name, path, TABLES)
    try:
        found = _columns_of_csv(file) if ending(file) == ".csv" else _columns_of_parquet(file)
    except (ImportError, MemoryError, PermissionError):
        raise
    except Exception as error:  # pyarrow has kinds of errors of its own
        raise _broken(name, file, error) from error
    missing = [column for column in columns or () if column not in found]
    if missing:
        many = "the columns" if len(columns or ()) > 1 else "the column"
        raise ValueError(
            f"{name} must have {many} {', '.join(columns or ())}; {str(path)!r} has "
            f"{_validation.listing([repr(one) for one in found])}: name them so in its first line,"
            " with commas between them"
        )
    return found if columns is None else {column: found[column] for column in columns}


def _columns_of_csv(path: Path) -> dict[str, list[Any]]:
    """Read all columns of a csv as texts."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        head = [field.strip() for field in next(lines, [])]
        rows = []
        for row in lines:
            if row and len(row) != len(head):
                raise ValueError(
                    f"line {lines.line_num} has {len(row)} values, and the first line {len(head)}"
                )
            if row:
                rows.append(row)
    if "\0" in "".join(head):
        raise ValueError("it is no text")
    twice = [key for key, times in Counter(head).items() if times > 1]
    if twice:
        raise ValueError(f"its first line has {twice[0]!r} {head.count(twice[0])} times")
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    return {
        key: [text.strip() for text in column] for key, column in zip(head, columns, strict=True)
    }


def _columns_of_parquet(path: Path) -> dict[str, list[Any]]:
    """Read all columns of a parquet file."""
    parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
    found: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return found


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
        _validation.choice("by", by, ("index", "name"))
    file, _ = _split_key(path)
    if ending(readable(name, file, _READERS)) in TABLES:
        edges = _by_columns(name, path, node_names, by)
    else:
        edges = _validation.edge_index(name, read_array(path, name=name))
    if edges.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one edge; {str(path)!r} holds none")
    return edges


def _by_columns(
    name: str, path: AnyPath, names: Sequence[str] | None, by: str | None
) -> NDArray[np.int64]:
    """Give the edges of a table."""
    table = _read_table(path, _ENDS, name=name)
    ends = [value for column in _ENDS for value in table[column]]
    places = {one: place for place, one in enumerate(names or ())}
    named = [-1 if by == "index" else places.get(str(value), -1) for value in ends]
    numbered = [-1 if by == "name" else _index_of(value) for value in ends]
    if by is None and any(one.isdecimal() for one in places):
        _check_numeric(name, path, ends, named, numbered, len(places))
    found = numbered if -1 in named else named
    if -1 in found:
        neither = [str(v) for v, k, i in zip(ends, named, numbered, strict=True) if k < 0 > i]
        wrong = neither[0] if neither else str(ends[named.index(-1)])
        raise ValueError(
            f"{name} must hold {_WANTED[by]}; {str(path)!r} has {wrong!r}, "
            f"{'no index' if by == 'index' else _way_to_node(wrong, names)}"
        )
    return np.array(found, np.int64).reshape(2, -1)


def _check_numeric(
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


def _index_of(value: Any) -> int:
    """Read an index; -1 where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return -1
    return int(number) if 0 <= number <= _LARGEST and number.is_integer() else -1


def _way_to_node(wrong: str, names: Sequence[str] | None) -> str:
    """Say what may be wrong with the end of an edge."""
    if names is None:
        return "no index: give the names of all nodes too (--names on the command line)"
    close = get_close_matches(wrong, names, 1)
    return f"the name of no node: {f'did you mean {close[0]!r}?' if close else 'look at the names'}"


class Observations(NamedTuple):
    """Activations and gradients of P layer pairs, S samples and C columns, in memory.

    Attributes
    ----------
    a, g : arrays of shape (P, S, C)
        Activations at a layer, and gradients at the next.
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

    @property
    def pairs(self) -> int:
        """Number of layer pairs P."""
        return len(self.a)

    @property
    def samples(self) -> int:
        """Number of samples S."""
        return self.a.shape[1]

    @property
    def columns(self) -> int:
        """Number of columns C."""
        return self.a.shape[2]


def write_observations(path: AnyPath, seen: Observations, *, name: str = "path") -> None:
    """Write observations to an npz file, whole or not at all.

    Raises
    ------
    ValueError
        For a path that does not end in ``.npz``.
    OSError
        Where nothing can be written; the file is then as it was.
    """
    attributes = {"nodes": seen.nodes, "score": seen.score, "node_names": seen.node_names}
    arrays = {"a": seen.a, "g": seen.g, "column_nodes": seen.column_nodes}
    _io.write_arrays(writable(name, path, [".npz"]), _OBSERVATIONS, attributes, arrays)


def read_observations(path: AnyPath, *, name: str = "path") -> Observations:
    """Read what `write_observations` wrote; peak memory is that of the arrays.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For a file that is broken, of another kind or of a newer format, or values that are not
        finite.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> a, g = np.random.default_rng(0).random((2, 3, 10, 4))
    >>> seen = Observations(a, g, np.arange(4), 4, "magnitude", None)
    >>> write_observations(f"{folder.name}/seen.npz", seen)
    >>> read_observations(f"{folder.name}/seen.npz").samples
    10
    >>> folder.cleanup()
    """
    file = readable(name, path, [".npz"])
    attributes, arrays = _io.read_arrays(file, _OBSERVATIONS, name=name)
    sides = [arrays[side] for side in ("a", "g", "column_nodes")]
    seen = Observations(*sides, *(attributes[key] for key in ("nodes", "score", "node_names")))
    shape = seen.a.shape
    fits = len(shape) == 3 and seen.g.shape == shape and seen.column_nodes.shape == shape[2:]
    if not fits or 0 in shape:
        raise _broken(name, file, "its arrays do not fit each other")
    for side in (seen.a, seen.g):
        if side.dtype.kind != "f" or not np.isfinite(side).all():
            raise _broken(name, file, "its values are not finite numbers")
    return seen


class Scores(NamedTuple):
    """A matrix of scores, with what its file holds beside it.

    Attributes
    ----------
    W : ndarray or StoredMatrix of shape (N, N)
    node_names : list of str or None
    known_edges : int64 ndarray of shape (2, E) or None
    """

    W: Any
    node_names: list[str] | None
    known_edges: Any


def read_scores(path: str) -> Scores:
    """W of a file: evidence with its names, a matrix that stays on disk, or any array.

    A matrix in .npy or .zarr is read by rows, and may be larger than memory.
    """
    if _is_evidence(path):
        from gsnn_edges.evidence import EdgeEvidence

        evidence = EdgeEvidence.load(path)
        return Scores(evidence.W, evidence.node_names, evidence.known_edges)
    if ending(path) in (".npy", ".zarr"):
        from gsnn_edges.store import open_matrix

        return Scores(open_matrix(readable("W", path, _READERS)), None, None)
    return Scores(read_array(path, name="W"), None, None)


def read_nodes(path: str, *, name: str = "--names") -> tuple[list[str], Any]:
    """Names of nodes, and the known edges beside them: of a list, observations, or evidence.

    Returns
    -------
    node_names : list of str
    known_edges : int64 ndarray of shape (2, E) or None

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ValueError
        As `read_names`, `read_observations`, `open_store` and `EdgeEvidence.load`; and where the
        file holds no names.
    """
    names: Any
    known = None
    if ending(path) == ".zarr":
        from gsnn_edges.store import open_store

        store = open_store(path)
        names, known = store.node_names, store.edge_index
    elif _is_evidence(path):
        _, names, known = read_scores(path)
    elif ending(path) == ".npz":
        names = read_observations(path, name=name).node_names
    else:
        names = read_names(path, name=name)
    if names is None:
        raise ValueError(f"{name} must be a file with names of nodes; {path!r} has none")
    return list(names), known


def _is_evidence(path: str) -> bool:
    if ending(path) != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"header.npy", "W.npy"} <= set(archive.namelist())


def write_table(path: AnyPath, columns: Mapping[str, Any], *, name: str = "path") -> None:
    """Write a table, whole or not at all.

    Parameters
    ----------
    path : str or path
        ``.csv``, ``.parquet`` or ``.json`` (a list of rows); an existing file is replaced once the
        new one is complete.
    columns : mapping of str to sequences of equal length
        Numbers are written with all their digits.
    name : str
        What errors call the path.

    Raises
    ------
    TypeError, ValueError
        For another ending, or values that JSON does not know.
    OSError
        Where nothing can be written; the file is then as it was.
    ImportError
        For parquet without pyarrow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "ranked.csv")
    >>> write_table(file, {"source": ["a"], "score": [0.5]})
    >>> print(file.read_text(), end="")
    source,score
    a,0.5
    >>> folder.cleanup()
    """
    if ending(path) != ".json":
        write_parts(path, [columns], name=name)
        return
    lists = [getattr(column, "tolist", lambda: column)() for column in columns.values()]  # noqa: B023
    write_json(path, [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)])


def write_parts(path: AnyPath, parts: Iterable[Mapping[str, Any]], *, name: str = "path") -> None:
    """Write a table that comes in parts, whole or not at all; no two parts are held together.

    Parameters
    ----------
    path : str or path
        ``.csv`` or ``.parquet``.
    parts : iterable of mappings
        At least one, all with the same columns, as `write_table` takes them.
    name : str
        What errors call the path.

    Raises
    ------
    ValueError, OSError, ImportError
        As `write_table`.
    """
    file = writable(name, path, TABLES)
    with _io.whole(file) as unfinished:
        {".csv": _write_csv, ".parquet": _write_parquet}[ending(file)](unfinished, parts)


def _write_csv(path: Path, parts: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        for number, part in enumerate(parts):
            if number == 0:
                lines.writerow(part)
            lines.writerows([str(x) for x in row] for row in zip(*part.values(), strict=True))


def _write_parquet(path: Path, parts: Iterable[Mapping[str, Any]]) -> None:
    arrow, parquet = _pyarrow(), _pyarrow("pyarrow.parquet")
    tables = (arrow.table(dict(part)) for part in parts)
    first = next(tables)
    with parquet.ParquetWriter(path, first.schema) as file:
        file.write_table(first)
        for table in tables:
            file.write_table(table.cast(first.schema))


def write_json(path: AnyPath, values: Any, *, name: str = "path") -> None:
    """Write values as JSON, whole or not at all.

    Parameters
    ----------
    path : str or path
        Ends in ``.json``; an existing file is replaced once the new one is complete.
    values
        What JSON can hold; NaN and infinity are refused.
    name : str
        What errors call the path.

    Raises
    ------
    TypeError, ValueError
        For another ending, or values that JSON cannot hold.
    OSError
        Where nothing can be written; the file is then as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "metrics.json")
    >>> write_json(file, {"mrr": 0.5})
    >>> print(file.read_text(), end="")
    {
      "mrr": 0.5
    }
    >>> folder.cleanup()
    """
    file = writable(name, path, [".json"])
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    with _io.whole(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
