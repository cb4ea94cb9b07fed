"""Files of users and of the commands: arrays, tables, names, edges, observations, W."""

import csv
import json
import os
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _io, _validation
from gsnn_edges._io import check_ending, ending
from gsnn_edges._tables import INDEX_NAMES, MISSING, NUMBER, Table, check_square, edges_of, pyarrow

AnyPath = str | PathLike[str]
# Arrays of a file by their names; "" where a file holds one without a name.
Arrays = dict[str, Any]

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".h5ad")
# Tables that are written; lists of results are written as .json too.
WRITTEN = (".csv", ".parquet")
_OBSERVATIONS = "observations"


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
    file = _io.new_path(name, check_ending(name, path, endings))
    if file.is_dir() and ending(file) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: add a name")
    if ending(file) == ".parquet":
        pyarrow()
    if not os.access(file.parent, os.W_OK):
        raise PermissionError(
            f"{name} must lie in a folder that can be written; {str(file.parent)!r} cannot: choose "
            "another"
        )
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


def read_array(path: AnyPath, *, name: str = "path", header: bool | None = None) -> NDArray[Any]:
    """Read an array of numbers from a file, by its ending.

    Parameters
    ----------
    path : str or path
        ``.npy``; ``.npz``, ``.safetensors`` or a ``.zarr`` group, with the name of the array behind
        a colon where there are several (``data.npz:x``); a bare ``.zarr`` array; or a table
        (``.csv``, ``.tsv``, both also as ``.gz``, ``.parquet``, ``.h5ad``), whose array has a row
        for each row. What pandas wrote as the index of a table is no column of the array.
    name : str
        What errors call the path.
    header : bool, optional
        Whether the first record of a csv or tsv holds names; see `read_table`.

    Returns
    -------
    ndarray
        Of the file's dtype and shape; float64 of two dimensions from a csv. NaN and infinity come
        as they are from arrays, and are refused in tables.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For an unknown ending, a file that is not what its ending says, no array or several
        without a name, values that are no real numbers, and missing values.
    ImportError
        When the library that reads it is not installed; the message says what to install.

    Notes
    -----
    The whole array is read to memory; of a csv four times its bytes. Nothing is unpickled: arrays
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
    file = readable(name, text, ARRAYS)
    if ending(file) in TABLES:
        return read_table(file, name=name, header=header).without_index().numbers()
    arrays: Arrays = _tried(name, file, lambda: _READERS[ending(file)](file))
    names = ", ".join(repr(one) for one in sorted(arrays)) or "none"
    if key is None and len(arrays) != 1:
        raise ValueError(
            f"{name} must name one of the arrays in {str(file)!r}, which are {names}: put the "
            f"name behind a colon, as {file.name}:{min(arrays, default='x')}"
        )
    if key is not None and key not in arrays:
        raise ValueError(f"{name} must name an array in {str(file)!r}; got {key!r}: it has {names}")
    stored = next(iter(arrays.values())) if key is None else arrays[key]
    array: NDArray[Any] = _tried(name, file, lambda: np.asarray(stored[...]))
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must hold real numbers; {str(path)!r} holds dtype {array.dtype}: convert it "
            "first"
        )
    return array


def _split_key(path: AnyPath) -> tuple[AnyPath, str | None]:
    """Split "data.npz:x" into the file and the name of an array in it."""
    file, colon, key = str(path).rpartition(":")
    if colon and ending(file) in ARRAYS and not Path(path).exists():
        return file, key
    return path, None


def _tried(name: str, file: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ImportError, MemoryError, PermissionError):
        raise
    except Exception as error:  # zarr, safetensors and pyarrow have kinds of errors of their own
        raise _broken(name, file, error) from error


def _from_numpy(path: Path) -> Arrays:
    with path.open("rb") as file:
        opened = np.load(file, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            return {"": opened}
        return {key: opened[key] for key in opened.files}


def _from_safetensors(path: Path) -> Arrays:
    need = ".safetensors files need safetensors"
    arrays: Arrays = _validation.imported("safetensors.numpy", need, "files").load_file(path)
    return arrays


def _from_zarr(path: Path) -> Arrays:
    """Arrays that are read when they are indexed."""
    zarr = _validation.imported("zarr", ".zarr files need zarr", "files")
    opened = zarr.open(path, mode="r")
    arrays: Arrays = dict(opened.arrays()) if isinstance(opened, zarr.Group) else {"": opened}
    for array in arrays.values():
        # Old zarr arrays may name a codec that unpickles whatever the file holds.
        if array.dtype.kind not in "fiub" or "pickle" in str(array.metadata.to_dict()).lower():
            raise ValueError(
                f"arrays must hold real numbers, not pickled; got {array!r}: save it as numbers"
            )
    return arrays


_READERS: dict[str, Callable[[Path], Arrays]] = {
    ".npy": _from_numpy,
    ".npz": _from_numpy,
    ".zarr": _from_zarr,
    ".safetensors": _from_safetensors,
}
ARRAYS = (*_READERS, *TABLES)


def read_table(path: AnyPath, *, name: str = "path", header: bool | None = None) -> Table:
    """Read a table by pyarrow; nothing is a comment, and quoted line breaks are kept.

    Parameters
    ----------
    path : str or path
        ``.csv`` or ``.tsv`` in UTF-8, both also as ``.gz``; ``.parquet``; or ``.h5ad``, read by
        anndata: X, by the names of variables and observations.
    name : str
        What errors call the path.
    header : bool, optional
        Whether the first record of a csv or tsv holds names. By default it does; where all behind
        its first field are numbers, they may be values, and nothing is guessed.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For another ending, a file that is not what its ending says, records of different lengths,
        a column without a name that is not the first, and a first record that may hold values.
    ImportError
        Without pyarrow.
    """
    file = readable(name, path, TABLES)
    if ending(file) in (".parquet", ".h5ad"):
        return cast(Table, _tried(name, file, lambda: _from_frame(name, file)))
    values = _tried(name, file, lambda: _from_csv(file))
    first = [column[0].as_py() for column in values]
    if header is None and _may_be_values(first):
        raise ValueError(
            f"{name} must say whether its first record holds names or values; {str(path)!r} begins "
            f"with {_validation.listing(first, 5)}: add --header or --no-header (header=True or "
            "False)"
        )
    if header is False:
        return Table(name, repr(str(path)), None, values)
    index = (0,) if first[0] in INDEX_NAMES else ()
    nameless = [place + 1 for place, text in enumerate(first) if not text and place not in index]
    if nameless:
        raise ValueError(
            f"{name} must have a name for each column; {str(path)!r} has none for column "
            f"{_validation.listing(nameless)}: name them in its first line"
        )
    return Table(name, repr(str(path)), first, [column[1:] for column in values], index)


def _may_be_values(first: list[str]) -> bool:
    """Whether a first record may be one of values; texts that pandas counts from 0 are names."""
    rest = first[1:] or first
    if first[0] in INDEX_NAMES and rest == [str(number) for number in range(len(rest))]:
        return False
    return all(re.fullmatch(NUMBER, text, re.ASCII) or text.lower() in MISSING for text in rest)


def _from_csv(path: Path) -> list[Any]:
    """Columns of texts, the first record included."""
    arrow, compute, csv = pyarrow(), pyarrow("pyarrow.compute"), pyarrow("pyarrow.csv")
    # Decompressed where it ends in .gz. Empty lines at the end are no records.
    data = arrow.input_stream(str(path)).read().rstrip(b"\r\n") + b"\n"
    if data.count(b'"') % 2:
        raise ValueError("a quote is not closed")
    options = {
        # With one thread errors name the record.
        "read_options": csv.ReadOptions(autogenerate_column_names=True, use_threads=False),
        "parse_options": csv.ParseOptions(
            delimiter="\t" if ".tsv" in ending(path) else ",",
            newlines_in_values=True,
            ignore_empty_lines=False,
        ),
    }
    names = csv.open_csv(arrow.BufferReader(data), **options).schema.names
    texts = csv.ConvertOptions(column_types=dict.fromkeys(names, arrow.string()))
    table = csv.read_csv(arrow.BufferReader(data), convert_options=texts, **options)
    return [compute.utf8_trim_whitespace(column) for column in table.columns]


def _from_frame(name: str, path: Path) -> Table:
    """Table of a file with types and, where pandas or anndata wrote it, an index."""
    if ending(path) == ".h5ad":
        anndata = _validation.imported("anndata", ".h5ad files need anndata")
        frame = anndata.read_h5ad(path).to_df()
        table = pyarrow().Table.from_pandas(frame, preserve_index=True)
    else:
        table = pyarrow("pyarrow.parquet").read_table(path)
    columns = [str(column) for column in table.column_names]
    # A range is kept as a dict, and is no column.
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    places = tuple(columns.index(column) for column in index if isinstance(column, str))
    return Table(name, repr(str(path)), columns, table.columns, places)


def read_names(path: AnyPath, *, name: str = "node_names") -> list[str]:
    r"""Read the names of nodes, in the order of the nodes.

    Parameters
    ----------
    path : str or path
        ``.txt`` with a name on each line, ``.json`` with a list of names, or a table with a column
        ``name``.
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
        For another ending, a file that is not what its ending says, no name, an empty one, or one
        name twice.
    ImportError
        For a table without pyarrow.

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
    file = readable(name, path, (".txt", ".json", *TABLES))
    if ending(file) in TABLES:
        table = read_table(file, name=name, header=True)
        names = table.texts(table.column("name"))
    else:
        names = _tried(name, file, lambda: _names_of_text(file))
    if not names:
        raise ValueError(f"{name} must hold at least one name; {str(path)!r} holds none")
    if "" in names:
        raise ValueError(
            f"{name} must be names; {str(path)!r} has an empty one at place {names.index('') + 1}, "
            "which would shift those behind it: write a name there, or drop it"
        )
    twice = [one for one, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(
            f"{name} must be different; {str(path)!r} has {twice[0]!r} more than once: number them"
        )
    return names


def _names_of_text(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8-sig")
    names: Any = json.loads(text) if ending(path) == ".json" else text.rstrip().split("\n")
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise ValueError("it holds no list of texts")
    return [one.strip() for one in names] if text.strip() else []


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
        A table with the columns ``source`` and ``target``; or an array of shape (2, E) of indices
        in any file that `read_array` takes.
    node_names : sequence of str, optional
        Names of the nodes, in their order.
    name : str
        What errors call the path.
    by : {"index", "name"}, optional
        What the ends are. Left out, they are names where one of them is a name of a node, and else
        indices from 0. Numbers that may be both are refused.

    Returns
    -------
    int64 ndarray of shape (2, E)
        Sources above targets, in the order of the file; an edge that is repeated counts once.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    TypeError, ValueError
        For an unknown ending, a file that is not what its ending says, other columns, no edge,
        missing ends, or ends that are neither indices nor names of nodes, or may be either.
    ImportError
        When the library that reads it is not installed.

    Warns
    -----
    UserWarning
        Where edges are repeated.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "edges.npy")
    >>> np.save(file, [[0, 1], [2, 2]])
    >>> read_edges(file)
    array([[0, 1],
           [2, 2]])
    >>> folder.cleanup()
    """
    if by is not None:
        _validation.choice("by", by, ("index", "name"))
    file, _ = _split_key(path)
    if ending(readable(name, file, ARRAYS)) in TABLES:
        edges = edges_of(read_table(path, name=name, header=True), node_names, by)
    else:
        edges = _validation.edge_index(name, read_array(path, name=name))
    if edges.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one edge; {str(path)!r} holds none")
    _, first = np.unique(edges, axis=1, return_index=True)
    if len(first) < edges.shape[1]:
        warnings.warn(
            f"{name} {str(path)!r} has {edges.shape[1] - len(first)} edges more than once: they "
            "count once",
            stacklevel=2,
        )
    return edges[:, np.sort(first)]


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
        return int(self.a.shape[1])

    @property
    def columns(self) -> int:
        """Number of columns C."""
        return int(self.a.shape[2])


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
    attributes = {name: attributes[name] for name in ("nodes", "score", "node_names")}
    seen = Observations(
        arrays["a"],
        arrays["g"],
        arrays["column_nodes"],
        attributes["nodes"],
        attributes["score"],
        attributes["node_names"],
    )
    shape = seen.a.shape
    if len(shape) != 3 or seen.g.shape != shape:
        raise _broken(name, file, "its arrays do not fit each other")
    from gsnn_edges.store.observations import StoreMetadata

    sizes = dict(zip(("pairs", "samples", "columns"), shape, strict=True))
    try:
        StoreMetadata(**sizes, **attributes, column_nodes=seen.column_nodes, dtype=seen.a.dtype)
    except (TypeError, ValueError) as error:
        raise _broken(name, file, error) from error
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


def read_scores(path: str, header: bool | None = None) -> Scores:
    """W of a file: evidence with its names, a matrix that stays on disk, or any array.

    A matrix in .npy or .zarr is read by rows, and may be larger than memory. A table has the names
    of the nodes in its header; the names of its rows, where it has them, must be the same ones.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ValueError
        As `read_array`, `open_matrix` and `EdgeEvidence.load`; and for rows of other nodes.
    """
    if is_of(path, "W"):
        from gsnn_edges.evidence import EdgeEvidence

        evidence = EdgeEvidence.load(path)
        return Scores(evidence.W, evidence.node_names, evidence.known_edges)
    if is_of(path, "a", "g", "column_nodes"):
        raise ValueError(
            f"W must be a matrix; {path!r} holds observations: make W of them first, by gsnn-edges "
            "correlate"
        )
    if ending(path) in (".npy", ".zarr"):
        from gsnn_edges.store import open_matrix

        return Scores(open_matrix(readable("W", path, ARRAYS)), None, None)
    if ending(path) not in TABLES:
        return Scores(read_array(path, name="W"), None, None)
    table = read_table(path, name="W", header=header)
    columns = table.without_index()
    check_square(table)
    return Scores(columns.numbers(), columns.columns, None)


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
    elif is_of(path, "W"):
        _, names, known = read_scores(path)
    elif ending(path) == ".npz":
        names = read_observations(path, name=name).node_names
    else:
        names = read_names(path, name=name)
    if names is None:
        raise ValueError(f"{name} must be a file with names of nodes; {path!r} has none")
    return list(names), known


def is_of(path: str, *arrays: str) -> bool:
    """Whether this is a file of this package that has these arrays."""
    if ending(path) != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"header.npy", *(f"{name}.npy" for name in arrays)} <= set(archive.namelist())


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
    file = writable(name, path, WRITTEN)
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
    arrow, parquet = pyarrow(), pyarrow("pyarrow.parquet")
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
