"""Arrays from files, by their endings; never by unpickling."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.cli.paths import AnyPath, ending, foreign, readable

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
