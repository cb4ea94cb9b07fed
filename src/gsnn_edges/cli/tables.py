"""Tables in csv and parquet files, read by columns and written whole or not at all."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.cli.paths import AnyPath, ending, foreign, readable, whole, writable

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
        found = from_csv(file) if ending(file) == ".csv" else from_parquet(file)
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


def from_csv(path: Path) -> dict[str, list[Any]]:
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


def from_parquet(path: Path) -> dict[str, list[Any]]:
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
