"""Tables: columns with names, names of rows, and how both find the nodes of a model."""

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation

# Infinity is no number of a table, and digits are those of ASCII.
NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# What stands for names of rows where a table of pandas is written and read again.
INDEX_NAMES = ("", "Unnamed: 0")
_WAY = "write numbers in it, drop the column, or say that it holds names of samples by --index"
MISSING = ("", "na", "n/a", "nan", "null", "none")


def pyarrow(module: str = "pyarrow") -> Any:
    """Import what reads tables."""
    return _validation.imported(module, "tables need pyarrow", "files")


@dataclass(frozen=True)
class Table:
    """Columns of a file or a DataFrame, of which no value has been looked at yet.

    Attributes
    ----------
    name, where : str
        What errors call the table, and where it is.
    columns : list of str or None
        Names of the columns; None for a csv without a header.
    values : list of pyarrow.ChunkedArray, or of ndarray
        Texts from a csv, without spaces around them; what others hold, of a DataFrame as arrays.
    index : tuple of int
        Places of the columns that hold names of the rows, as pandas marks them.
    guessed : bool
        Whether that follows from names alone, which a warning is to say.
    """

    name: str
    where: str
    columns: list[str] | None
    values: list[Any]
    index: tuple[int, ...] = ()
    guessed: bool = True

    def take(self, places: Sequence[int]) -> "Table":
        """The columns at these places, in this order."""
        names = None if self.columns is None else [self.columns[place] for place in places]
        return replace(
            self, columns=names, values=[self.values[place] for place in places], index=()
        )

    def without_index(self) -> "Table":
        """The columns that hold no names of rows."""
        return self.take([place for place in range(len(self.values)) if place not in self.index])

    def rows(self) -> list[tuple[Any, ...]] | None:
        """Names of the rows, from the index; None without one."""
        index = [_listed(self.values[place]) for place in self.index]
        return list(zip(*index, strict=True)) if index else None

    def column(self, column: str) -> int:
        """Place of a column.

        Raises
        ------
        ValueError
            Where no column has this name, or several.
        """
        columns = self.columns or []
        if columns.count(column) != 1:
            there = _validation.listing([repr(one) for one in columns]) or "no names"
            raise ValueError(
                f"{self.name} must have one column {column}; {self.where} has {there}: name them "
                "so in its first line, with commas (in .tsv tabs) between them"
            )
        return columns.index(column)

    def texts(self, place: int) -> list[str]:
        """Texts of a column; whole numbers of a parquet as they are written.

        Raises
        ------
        ValueError
            For a missing value, and for values that are neither texts nor whole numbers.
        """
        texts = []
        for row, value in enumerate(_listed(self.values[place])):
            if value is None or value != value or value == "":
                raise self._missing(row, place)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise self._wrong(row, place, value, "write texts or whole numbers in it")
            texts.append(str(value))
        return texts

    def numbers(self) -> NDArray[Any]:
        """All columns as an array with a row for each row.

        Raises
        ------
        ValueError
            For a missing value, and for values that are no numbers: booleans, infinity, ``1_0``
            and digits that are not ASCII are none.
        """
        if not self.values or not len(self.values[0]):
            raise ValueError(
                f"{self.name} must hold numbers; {self.where} has no rows or no columns of them: "
                "write it again"
            )
        return np.column_stack([self._column(place) for place in range(len(self.values))])

    def _column(self, place: int) -> NDArray[Any]:
        values = self.values[place]
        if isinstance(values, np.ndarray):
            return self._column_of_frame(values, place)
        arrow, compute = pyarrow(), pyarrow("pyarrow.compute")
        if arrow.types.is_string(values.type) or arrow.types.is_large_string(values.type):
            number = compute.match_substring_regex(values, NUMBER)
            if not compute.all(number).as_py():
                row = compute.index(number, False).as_py()
                value = values[row].as_py()
                if value.lower() in MISSING:
                    raise self._missing(row, place)
                raise self._wrong(row, place, value, _WAY)
            values = compute.cast(values, arrow.float64())
        elif not (arrow.types.is_integer(values.type) or arrow.types.is_floating(values.type)):
            raise self._wrong(0, place, values[0].as_py(), _WAY)
        # A missing value becomes NaN, as pandas has it.
        return self._complete(values.to_numpy(), place)

    def _column_of_frame(self, values: NDArray[Any], place: int) -> NDArray[Any]:
        if values.dtype == object:
            for row, value in enumerate(values):
                if value is None or value != value:
                    raise self._missing(row, place)
                if isinstance(value, bool) or not isinstance(value, Real):
                    raise self._wrong(row, place, value, _WAY)
            return values.astype(np.float64)
        if values.dtype.kind not in "iuf":
            raise self._wrong(0, place, values[0], _WAY)
        return self._complete(values, place)

    def _complete(self, column: NDArray[Any], place: int) -> NDArray[Any]:
        if column.dtype.kind == "f" and np.isnan(column).any():
            raise self._missing(int(np.isnan(column).argmax()), place)
        return column

    def _place(self, row: int, place: int) -> str:
        """Row, counted from 1 behind the header, and column."""
        column = place + 1 if self.columns is None else repr(self.columns[place])
        return f"row {row + 1} of the values, column {column}"

    def _missing(self, row: int, place: int) -> ValueError:
        return ValueError(
            f"{self.name} must have a value everywhere; {self.where} has none in "
            f"{self._place(row, place)}: drop the row, or impute it"
        )

    def _wrong(self, row: int, place: int, value: Any, way: str) -> ValueError:
        return ValueError(
            f"{self.name} cannot be read; {self.where} has {value!r} in "
            f"{self._place(row, place)}: {way}"
        )


def _listed(values: Any) -> list[Any]:
    """Values of a column as Python has them."""
    listed: list[Any] = values.tolist() if isinstance(values, np.ndarray) else values.to_pylist()
    return listed


def is_frame(value: Any) -> bool:
    """Whether this is a DataFrame of pandas or polars, neither of which is imported here."""
    kinds = {(kind.__name__, kind.__module__.partition(".")[0]) for kind in type(value).__mro__}
    return not kinds.isdisjoint({("DataFrame", "pandas"), ("DataFrame", "polars")})


def of_frame(name: str, frame: Any) -> Table:
    """Table of a DataFrame; columns or rows that are merely counted from 0 have no names.

    Raises
    ------
    ValueError
        For names of several levels.
    """
    of_pandas = hasattr(frame, "iloc")
    count, where = frame.shape[1], "the DataFrame"
    columns = [frame.iloc[:, i] if of_pandas else frame[:, i] for i in range(count)]
    values = [_array_of(column) for column in columns]
    labels = list(frame.columns)
    if any(isinstance(label, tuple) for label in labels):
        raise ValueError(
            f"{name} must have one name for each column; got {labels[0]!r}: join its levels first"
        )
    index = frame.index if of_pandas else None
    if index is not None and not _is_counted(index):
        levels = [index.get_level_values(level) for level in range(index.nlevels)]
        names = [*("" if level is None else str(level) for level in index.names)]
        names += map(str, labels)
        places = tuple(range(index.nlevels))
        return Table(name, where, names, [*map(_array_of, levels), *values], places, guessed=False)
    if labels == list(range(count)):
        return Table(name, where, None, values)
    names = [str(label) for label in labels]
    return Table(name, where, names, values, (0,) if names[0] in INDEX_NAMES else ())


def _is_counted(index: Any) -> bool:
    return getattr(index, "start", None) == 0 and index.step == 1


def _array_of(column: Any) -> NDArray[Any]:
    """Values of a column, None where pandas has one of its own missing values."""
    values: NDArray[Any] = column.to_numpy()
    if values.dtype == object and hasattr(column, "notna"):
        values = np.where(column.notna(), values, np.array(None))
    return values


def as_array(name: str, value: Any) -> Any:
    """Numbers of a DataFrame, without its index; anything else as it is."""
    return of_frame(name, value).without_index().numbers() if is_frame(value) else value


def as_arrays(**sides: Any) -> list[Any]:
    """`as_array` of several, which must be of the same samples where they name them.

    Raises
    ------
    ValueError
        For other samples, or another order of them.
    """
    return match_columns(
        [of_frame(name, side) if is_frame(side) else side for name, side in sides.items()]
    )


def match_columns(
    data: Sequence[Any], nodes: Sequence[list[str] | None] | None = None, index: str | None = None
) -> list[Any]:
    """Values of tables, by the names of a model's nodes and of the samples.

    Parameters
    ----------
    data : sequence of Table or array
        Arrays come back as they are.
    nodes : sequence of lists of names or None, optional
        The nodes that the columns of each stand for, where they have names. Without any, columns
        stay where they are.
    index : str, optional
        The column with the names of samples. By default an index, as pandas writes it, or else the
        one column that is none of the nodes.

    Raises
    ------
    ValueError
        For a name that a table or the model lacks, or has twice; and for other samples.

    Warns
    -----
    UserWarning
        For a column that is taken as names, for columns that are put in another order, and once
        where only one of table and model has names.
    """
    arrays, samples, nameless = [], [], []
    for table, names in zip(data, nodes or [None] * len(data), strict=True):
        if not isinstance(table, Table):
            arrays.append(table)
            continue
        table = _with_index(table, names, index)
        if table.index:
            samples.append((table.name, table.rows()))
        table = table.without_index()
        if nodes is not None and (table.columns is None) != (names is None):
            nameless.append(f"{table.name} ({table.where})")
        elif names is not None:
            table = table.take(_places(table, names))
        arrays.append(table.numbers())
    if nameless:
        warnings.warn(
            f"{' and '.join(nameless)}: columns are matched to the model by position, as only one "
            "side has names",
            stacklevel=3,
        )
    for name, rows in samples[1:]:
        if rows != samples[0][1]:
            raise ValueError(
                f"{samples[0][0]} and {name} must have the same samples, in the same order; they "
                "have not: sort both by the names of the samples"
            )
    return arrays


def _with_index(table: Table, nodes: list[str] | None, index: str | None) -> Table:
    """A table of which it is known where it names its rows."""
    names = table.columns or []
    unknown = tuple(place for place, name in enumerate(names) if name not in (nodes or ()))
    if index is not None:
        return replace(table, index=(table.column(index),))
    if nodes and not table.index and len(unknown) == 1 and len(names) == len(nodes) + 1:
        table = replace(table, index=unknown)
    if table.index and table.guessed:
        columns = ", ".join(repr(names[place]) for place in table.index)
        warnings.warn(
            f"{table.name} {table.where}: column {columns} is taken as the names of samples: name "
            "another by --index",
            stacklevel=4,
        )
    return table


def _places(table: Table, nodes: list[str]) -> list[int]:
    """Place of the column of each node."""
    columns = table.columns or []
    there, wanted = Counter(columns), Counter(nodes)
    wrong = {
        "missing": [repr(name) for name in wanted if name not in there],
        "unknown": [repr(name) for name in there if name not in wanted],
        "repeated": [repr(name) for name in there if max(there[name], wanted[name]) > 1],
    }
    if any(wrong.values()):
        raise ValueError(
            f"{table.name} must have a column for each of the model's {len(nodes)} nodes, by their "
            f"names; {table.where} does not ({_validation.listings(wrong)}): name them so, or, "
            "where the columns stand in the model's order, leave the names out and add --no-header"
        )
    if columns != nodes:
        warnings.warn(
            f"{table.name} {table.where} has its columns in another order than the model: they are "
            "put in the model's order, by their names",
            stacklevel=4,
        )
    return [columns.index(name) for name in nodes]


def as_square(name: str, value: Any, node_names: Any = None) -> tuple[Any, Any]:
    """A matrix of nodes and their names, which the columns of a DataFrame are.

    Raises
    ------
    ValueError
        For rows of other nodes than the columns, and names that are not ``node_names``.
    """
    if not is_frame(value):
        return value, node_names
    table = of_frame(name, value)
    columns = table.without_index()
    check_square(table)
    if node_names is None or columns.columns is None:
        return columns.numbers(), columns.columns if node_names is None else node_names
    if list(node_names) != columns.columns:
        raise ValueError(
            f"node_names must be the names that {name} has, in their order; {table.where} has "
            "others: leave node_names out, or name the columns so"
        )
    return columns.numbers(), node_names


def check_square(table: Table) -> None:
    """Reject a matrix with other names of its rows than of its columns."""
    names, rows = table.without_index().columns, [str(row[0]) for row in table.rows() or ()]
    if names is not None and rows and rows != names:
        raise ValueError(
            f"{table.name} must have the same nodes in its rows and in its columns, in one order; "
            f"{table.where} has not: sort one by the other"
        )


def as_edges(name: str, value: Any, node_names: Sequence[str] | None = None) -> Any:
    """Edges of a DataFrame with the columns source and target; anything else as it is."""
    return edges_of(of_frame(name, value), node_names) if is_frame(value) else value


def edges_of(table: Table, names: Sequence[str] | None, by: str | None = None) -> NDArray[np.int64]:
    """Edges of a table with the columns source and target, (2, E), by names or indices of nodes.

    Raises
    ------
    ValueError
        For other columns, and ends that are missing, of no node, or of two nodes.
    """
    ends = [text for column in ("source", "target") for text in table.texts(table.column(column))]
    places = {one: place for place, one in enumerate(names or ())}
    named, numbered = [places.get(text, -1) for text in ends], [_index_of(text) for text in ends]
    some_are_names = max(named, default=-1) >= 0
    either = -1 not in (*named, *numbered) and named != numbered
    if by is None and either and max(numbered) < len(places):
        raise ValueError(
            f"{table.name} must say whether its numbers are indices or names of nodes; "
            f"{table.where} has some that may be both: pass by='name' or by='index'"
        )
    nodes = named if by == "name" or (by is None and some_are_names) else numbered
    if -1 in nodes:
        end = ends[nodes.index(-1)]
        if nodes is numbered:
            rule, way = "node indices from 0", "an index: give the names of all nodes too (--names)"
        else:
            rule, way = "names of nodes", "the name of a node: look at the names"
            close = get_close_matches(end, places, 1)
            way = way if not close else f"the name of a node: did you mean {close[0]!r}?"
        raise ValueError(
            f"{table.name} must hold {rule}; {table.where} has {end!r}, which is not {way}"
        )
    return np.array(nodes, np.int64).reshape(2, -1)


def _index_of(text: str) -> int:
    """Read an index, which pandas may have written as 3.0; -1 for what is none."""
    if re.fullmatch(r"[0-9]{1,15}(\.0*)?", text) is None:
        return -1
    return int(text.partition(".")[0])
