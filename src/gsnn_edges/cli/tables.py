"""Tables in csv and parquet files, read by columns and written whole or not at all."""

import csv
import json
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import __version__, _validation

AnyPath = str | PathLike[str]

# How files of some kinds begin, to say what a file is that its ending does not fit.
BEGINNINGS = {
    b"\x93NUMPY": "a .npy file",
    b"PK\x03\x04": "a zip archive, as .npz files and torch's .pt files are",
    b"PAR1": "a .parquet file",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive",
    b"\x80\x02": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}


def ending(path: Path) -> str:
    """Give the ending of a path in small letters, as ".csv"."""
    return path.suffix.lower()


def checked_ending(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Reject a path with another ending than these."""
    if not isinstance(path, str | PathLike):
        raise TypeError(f"{name} must be a path; got {type(path).__name__}: pass a str or a Path")
    found = Path(path)
    if ending(found) not in endings:
        raise ValueError(
            f"{name} must end in {', '.join(endings)}; got {str(path)!r}: the ending says how a "
            "file is read and written"
        )
    return found


def readable(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Give the path of a file that is there; a folder for .zarr only."""
    found = checked_ending(name, path, endings)
    if not found.exists():
        raise FileNotFoundError(
            f"{name} must be a file that is there; there is none at {str(path)!r}{near(found)}"
        )
    if found.is_dir() and ending(found) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: name a file")
    if found.is_file() and found.stat().st_size == 0:
        raise ValueError(f"{name} must hold something; {str(path)!r} is empty: write it again")
    return found


def near(path: Path) -> str:
    """Say what lies where a file was looked for."""
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r} either"
    from difflib import get_close_matches

    close = get_close_matches(path.name, sorted(os.listdir(path.parent)), 1)
    return f": did you mean {str(path.parent / close[0])!r}?" if close else ": look at its folder"


def writable(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Give the path of a file that can be written; found out before any work is done."""
    found = checked_ending(name, path, endings)
    folder = found.parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{name} must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(folder)!r} first"
        )
    if found.is_dir() and ending(found) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: add a name")
    try:
        with TemporaryDirectory(dir=folder, prefix=".unfinished-"):
            pass
    except OSError as error:
        raise PermissionError(
            f"{name} must lie in a folder that can be written; {str(folder)!r} cannot "
            f"({error.strerror}): choose another"
        ) from error
    return found


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` when all has gone well."""
    # Beside its place: a rename within a file system is all or nothing.
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
            unfinished = Path(folder) / path.name
            yield unfinished
            os.replace(unfinished, path)
    except OSError as error:
        if error.errno is None:
            raise  # a sentence of this package, or of a library that writes
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{str(path)!r} cannot be written ({reason}); nothing is left of it"
        ) from error


def foreign(name: str, path: Path, error: Any) -> ValueError:
    """Say that a file is not what its ending says."""
    reason = reason_of(error)
    return ValueError(
        f"{name} must be a whole {ending(path)} file; {str(path)!r} {looks_like(path)}"
        f"{reason and f' ({reason})'}: give it its true ending, or write it again"
    )


def reason_of(error: Any) -> str:
    """Say in a line what was found, without NumPy's advice to unpickle what nobody trusts."""
    reason = " ".join(str(error).split())[:200]
    if "Object arrays" in reason:
        return "it holds Python objects, which are not unpickled"
    return "" if "allow_pickle" in reason else reason


def looks_like(path: Path) -> str:
    """Say what the first bytes of a file are those of."""
    if path.is_dir():
        return "is a folder of something else"
    with path.open("rb") as file:
        head = file.read(8)
    kinds = [kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning)]
    return f"begins as {kinds[0]}" if kinds else "is broken or something else"


Named = Mapping[str, Any]


def check_apart(outputs: Named, inputs: Named) -> None:
    """Reject an output that is an input or another output, whatever paths lead there.

    Parameters
    ----------
    outputs, inputs : mapping of options to a path, several, or None
        Inputs may name an array behind a colon, as ``data.npz:x``.

    Raises
    ------
    ValueError
        Naming both options.
    """
    taken = list(places(inputs))
    for option, text, place in places(outputs):
        for other, theirs, at in taken:
            if place == at or at in place.parents or same_file(place, at):
                raise ValueError(
                    f"{option} must be a file of its own; {text!r} is also {other} {theirs!r}, "
                    "which would be overwritten: choose another name"
                )
        taken.append((option, text, place))


def places(named: Named) -> Iterator[tuple[str, str, Path]]:
    """Give each path with its option, and where it leads in the end."""
    for option, paths in named.items():
        for path in [paths] if isinstance(paths, str) else paths or ():
            yield option, path, Path(split_key(path)[0]).resolve()


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file, by a hard link or on a disk that minds no capitals."""
    return one.exists() and other.exists() and one.samefile(other)


def inputs_of(asked: Named) -> dict[str, Any]:
    """Give the files that the options of a model name."""
    names = {
        "--x": "x_files",
        "--y": "y_file",
        "--weights": "weights",
        "--trust-pickle": "trust_pickle",
        "--groups": "groups",
        "--names": "names",
    }
    return {option: asked[name] for option, name in names.items()}


Found = dict[str, Any]


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
    text, key = split_key(path)
    file = readable(name, text, READERS)
    found = tried(name, file, lambda: READERS[ending(file)](file))
    array: Any = chosen(name, file, found, key)
    if callable(array):
        array = tried(name, file, array)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must hold real numbers; {str(path)!r} holds dtype {array.dtype}: convert it "
            "first"
        )
    return np.asarray(array)


def split_key(path: AnyPath) -> tuple[AnyPath, str | None]:
    """Split "data.npz:x" into the file and the name of an array in it."""
    text = str(path)
    file, colon, key = text.rpartition(":")
    if colon and ending(Path(file)) in READERS and not Path(text).exists():
        return file, key
    return path, None


def chosen(name: str, path: Path, found: Found, key: str | None) -> Any:
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


def tried(name: str, file: Path, read: Callable[[], Any]) -> Any:
    """Read, and say of which file an error is."""
    try:
        return read()
    except (ImportError, MemoryError, PermissionError):
        raise
    except NoNumber as error:
        raise ValueError(
            f"{name} must hold numbers, with commas between them; {str(file)!r} {error}"
        ) from error
    except Exception as error:  # zarr, safetensors and pyarrow have kinds of errors of their own
        raise foreign(name, file, error) from error


def from_npy(path: Path) -> Found:
    """Read an .npy file."""
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it holds several arrays")
        return {"": array}


def from_npz(path: Path) -> Found:
    """Read all arrays of an .npz file."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        if isinstance(found, np.ndarray):
            raise ValueError("it holds one array without a name")
        return {key: found[key] for key in found.files}


def from_safetensors(path: Path) -> Found:
    """Read all arrays of a .safetensors file."""
    numpy = _validation.imported(
        "safetensors.numpy", ".safetensors files need safetensors", "files"
    )
    found: Found = numpy.load_file(path)
    return found


def from_zarr(path: Path) -> Found:
    """Open a .zarr array, or the arrays of a group; each is read when it is asked for."""
    zarr = _validation.imported("zarr", ".zarr files need zarr", "files")
    opened = zarr.open(path, mode="r")
    arrays = dict(opened.arrays()) if isinstance(opened, zarr.Group) else {"": opened}
    return {key: reader_of(array) for key, array in arrays.items()}


def reader_of(array: Any) -> Callable[[], NDArray[Any]]:
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


def from_csv(path: Path) -> Found:
    """Read a csv of numbers, with or without a line of names; "#" begins no comment."""
    first, named, rest = first_line(path)
    if named and all(is_number(field.strip("# ")) for field in first):
        raise NoNumber(f"has {first[0]!r} in line 1: take the # away, or drop the row")
    if named and not rest:
        raise ValueError("it has a line of names and no line of numbers")
    skip = int(named)
    try:
        values = np.loadtxt(
            path, delimiter=",", skiprows=skip, ndmin=2, encoding="utf-8-sig", quotechar='"',
            comments=None,
        )  # fmt: skip
    except ValueError as error:
        raise first_wrong(path, first, named) or error from error
    return {"": values}


def first_line(path: Path) -> tuple[list[str], bool, bool]:
    """Read the first line of a csv; say whether it is one of names, and whether others follow."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.reader(file), [])
        rest = any(line.strip() for line in file)
    return first, not all(is_number(field) for field in first), rest


def column_names(path: AnyPath) -> list[str] | None:
    """Names of the columns of a csv or parquet file that `read_array` has read; None without."""
    file = Path(path)
    if ending(file) == ".csv":
        first, named, _ = first_line(file)
        return [field.strip() for field in first] if named else None
    if ending(file) == ".parquet":
        parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
        return [str(name) for name in parquet.read_schema(file).names]
    return None


class NoNumber(ValueError):
    """A csv that holds something else than numbers, with the place of the first."""


def first_wrong(path: Path, first: list[str], named: bool) -> NoNumber | None:
    """Find the first value of a csv that is no number, or the first line of another length."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        for row in lines:
            for mark in ";\t|":
                if mark in "".join(row):
                    return NoNumber(f"has {mark!r} in line {lines.line_num}: write commas instead")
            if lines.line_num > 1 and row and row[0].lstrip().startswith("#"):
                return NoNumber(
                    f"has {row[0]!r} in line {lines.line_num}: take the # away, or drop the row"
                )
            if row and len(row) != len(first):
                return NoNumber(
                    f"has {len(row)} values in line {lines.line_num} and {len(first)} in the "
                    "first: write as many in each"
                )
            strange = [place for place, field in enumerate(row) if not is_number(field)]
            if strange and (lines.line_num > 1 or not named):
                head = first[strange[0]].strip() if named else str(strange[0] + 1)
                return NoNumber(
                    f"has {row[strange[0]]!r} in line {lines.line_num}, column {head!r}: drop that "
                    "column, or write numbers in it"
                )
    return None


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def from_parquet(path: Path) -> Found:
    """Read the columns of a parquet file, side by side."""
    parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
    table = parquet.read_table(path)
    if table.num_columns == 0 or table.num_rows == 0:
        raise ValueError("it has no rows")
    return {"": np.column_stack([column.to_numpy() for column in table.columns])}


READERS: dict[str, Callable[[Path], Found]] = {
    ".npy": from_npy,
    ".npz": from_npz,
    ".zarr": from_zarr,
    ".safetensors": from_safetensors,
    ".csv": from_csv,
    ".parquet": from_parquet,
}


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


READ = (".csv", ".parquet")
WRITTEN = (".csv", ".parquet", ".json")


def read_table(
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
    >>> read_table(file)
    {'source': ['a'], 'target': ['b']}
    >>> folder.cleanup()
    """
    file = readable(name, path, READ)
    try:
        found = columns_of_csv(file) if ending(file) == ".csv" else columns_of_parquet(file)
    except (ImportError, MemoryError, PermissionError):
        raise
    except Exception as error:  # pyarrow has kinds of errors of its own
        raise foreign(name, file, error) from error
    missing = [column for column in columns or () if column not in found]
    if missing:
        many = "the columns" if len(columns or ()) > 1 else "the column"
        raise ValueError(
            f"{name} must have {many} {', '.join(columns or ())}; {str(path)!r} has "
            f"{_validation.listing([repr(one) for one in found])}: {way_to_columns(list(found))}"
        )
    return found if columns is None else {column: found[column] for column in columns}


def way_to_columns(found: Sequence[str]) -> str:
    """Say how the columns that are wanted may be got."""
    if len(found) == 1 and any(mark in found[0] for mark in ";\t|"):
        return "separate the values by commas"
    return "name them so in its first line"


def columns_of_csv(path: Path) -> dict[str, list[Any]]:
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


def columns_of_parquet(path: Path) -> dict[str, list[Any]]:
    """Read all columns of a parquet file."""
    parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
    found: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return found


def write_table(path: AnyPath, columns: Mapping[str, Any], *, name: str = "path") -> None:
    """Write a table to a file, whole or not at all.

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
    ValueError
        For another ending.
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
    file = writable_table(name, path)
    with whole(file) as unfinished:
        WRITERS[ending(file)](unfinished, columns)


def writable_table(name: str, path: AnyPath) -> Path:
    """Give the path of a table that can be written: its folder and its library are there."""
    file = writable(name, path, WRITTEN)
    if ending(file) == ".parquet":
        _validation.imported("pyarrow", ".parquet files need pyarrow", "files")
    return file


def write_parts(path: AnyPath, parts: Iterable[Mapping[str, Any]], *, name: str = "path") -> None:
    """Write a table that comes in parts, each a table as `write_table` takes it, whole or not.

    Parameters
    ----------
    path : str or path
        ``.csv`` or ``.parquet``.
    parts : iterable of mappings
        At least one, all with the same columns; no two are held together.
    name : str
        What errors call the path.

    Raises
    ------
    ValueError, OSError, ImportError
        As `write_table`.
    """
    file = writable(name, path, READ)
    with whole(file) as unfinished:
        {".csv": parts_to_csv, ".parquet": parts_to_parquet}[ending(file)](unfinished, parts)


def parts_to_csv(path: Path, parts: Iterable[Mapping[str, Any]]) -> None:
    """Write the lines of one part after another."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        for number, part in enumerate(parts):
            if number == 0:
                lines.writerow(part)
            lines.writerows([str(x) for x in row] for row in zip(*part.values(), strict=True))


def parts_to_parquet(path: Path, parts: Iterable[Mapping[str, Any]]) -> None:
    """Write each part as a group of rows."""
    arrow = _validation.imported("pyarrow", ".parquet files need pyarrow", "files")
    parquet = _validation.imported("pyarrow.parquet", ".parquet files need pyarrow", "files")
    tables = (arrow.table(dict(part)) for part in parts)
    first = next(tables)
    with parquet.ParquetWriter(path, first.schema) as file:
        file.write_table(first)
        for table in tables:
            file.write_table(table.cast(first.schema))


def to_csv(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns as a csv."""
    parts_to_csv(path, [columns])


def to_parquet(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns as a parquet file."""
    parts_to_parquet(path, [columns])


def to_json(path: Path, columns: Mapping[str, Any]) -> None:
    """Write rows as a list of objects."""
    lists = [plain(column) for column in columns.values()]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
    path.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def plain(column: Any) -> list[Any]:
    """Give a column as a list of what JSON knows."""
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def write_json(path: AnyPath, facts: Mapping[str, Any], *, name: str = "path") -> None:
    r"""Write facts as JSON, whole or not at all.

    Parameters
    ----------
    path : str or path
        Ends in ``.json``; an existing file is replaced once the new one is complete.
    facts : mapping
        What JSON can hold; NaN and infinity are refused.
    name : str
        What errors call the path.

    Raises
    ------
    TypeError, ValueError
        For another ending, or facts that JSON cannot hold.
    OSError
        Where nothing can be written; the file is then as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "metrics.json")
    >>> write_json(file, {"mrr": 0.5})
    >>> file.read_text()
    '{\n  "mrr": 0.5\n}\n'
    >>> folder.cleanup()
    """
    file = writable(name, path, [".json"])
    text = json.dumps(dict(facts), indent=2, allow_nan=False) + "\n"
    with whole(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


WRITERS = {".csv": to_csv, ".parquet": to_parquet, ".json": to_json}


ENDS = ("source", "target")
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
    table = read_table(path, ENDS, name=name)
    ends = [value for column in ENDS for value in table[column]]
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


# Files that W is read from by rows, and so may be larger than memory.
STAY = (".npy", ".zarr")


class Scores(NamedTuple):
    """A matrix of scores, as a file has it.

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
    """Read W: evidence with its names, a matrix that stays on disk, or any array of a file."""
    file = Path(path)
    if file.suffix == ".npz" and is_evidence(file):
        from gsnn_edges.evidence import EdgeEvidence

        evidence = EdgeEvidence.load(file)
        return Scores(evidence.W, evidence.node_names, evidence.known_edges)

    if file.suffix in STAY:
        from gsnn_edges.store import open_matrix

        return Scores(open_matrix(readable("W", file, STAY)), None, None)
    return Scores(read_array(path, name="W"), None, None)


def is_evidence(file: Path) -> bool:
    """Whether an npz holds evidence and not plain arrays."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return {"header.npy", "W.npy"} <= set(archive.namelist())


def read_known(path: str | None) -> Any:
    """Read the known edges that observations or evidence hold beside the names; None without."""
    if path is None:
        return None
    file = Path(path)
    if file.suffix == ".zarr":
        from gsnn_edges.store import open_store

        return open_store(file).edge_index
    if file.suffix == ".npz" and is_evidence(file):
        return read_scores(path).known_edges
    return None


def read_node_names(path: str | None) -> list[str] | None:
    """Read names of nodes: from a list of them, from observations, or from evidence."""
    if path is None:
        return None
    file = Path(path)
    names: Any
    if file.suffix == ".zarr":
        from gsnn_edges.store import open_store

        names = open_store(file).node_names
    elif file.suffix == ".npz" and is_evidence(file):
        names = read_scores(path).node_names
    elif file.suffix == ".npz":
        names = read_observations(file, name="--names").node_names
    else:
        names = read_names(path, name="--names")
    if names is None:
        raise ValueError(f"--names must be a file with names of nodes; {path!r} has none")
    return list(names)
