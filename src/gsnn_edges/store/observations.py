"""Activations and gradients on disk: larger than memory, written unit by unit, read in parts."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from inspect import signature
from itertools import product
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from gsnn_edges import _io, _validation

SCORES = ("magnitude", "channels")
OBSERVATIONS, _VERSION = "gsnn-edges observations", 2
_SIDES = ("a", "g")
_INDICES = ("layer_pair", "sample", "column_node")
_DTYPES = ("float32", "float64")
# Bytes of a unit, of one side.
_UNIT_BYTES = 1 << 26
# Where so many bytes hold few samples, columns would be read in tiny pieces: a unit then holds
# more of them, up to so many bytes.
_LEAST_SAMPLES, _MOST_BYTES = 1000, 1 << 28
# Columns of an inner chunk, the fewest that are read at a time; more where a chunk would be small.
_CHUNK_COLUMNS, _MOST_COLUMNS, _CHUNK_BYTES = 64, 512, 1 << 17

Span: TypeAlias = slice | tuple[int, int] | None


class StoreMetadata:
    """What a store of observations says of itself, checked when the object is made.

    Parameters
    ----------
    path : Path, optional
        Of the store, where there is one.
    pairs, samples, columns : int
        Shape (P, S, C) of activations and of gradients: layer pairs, samples, columns.
    score : {"magnitude", "channels"}
        One column for each node, or signed channels.
    nodes : int, optional
        Number of nodes N; by default one more than the last of ``column_nodes``.
    column_nodes : array-like of shape (C,), optional
        The node of each column; for magnitudes by default its own.
    unit : int, optional
        Samples that are written at a time, to a file a side.
    chunk_columns : int, optional
        Columns that are read at a time.
    node_names : sequence of N str, optional
    edge_index : array-like of shape (2, E), optional
        The edges that the model knows.
    dtype : {"float32", "float64"}
    provenance : mapping, optional
        How the observations were made, ready for JSON.

    Attributes
    ----------
    units : int
        Number of units; the last one may hold fewer samples.
    nbytes : int
        Bytes of both sides.

    Raises
    ------
    TypeError, ValueError
        For metadata that break these rules.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        pairs: int,
        samples: int,
        columns: int,
        score: str = "magnitude",
        nodes: int | None = None,
        column_nodes: Any = None,
        unit: int | None = None,
        chunk_columns: int | None = None,
        node_names: Sequence[str] | None = None,
        edge_index: Any = None,
        dtype: Any = "float32",
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.pairs = _validation.whole_number("pairs", pairs, least=1)
        self.samples = _validation.whole_number("samples", samples, least=1)
        self.columns = _validation.whole_number("columns", columns, least=1)
        _validation.choice("score", score, SCORES)
        self.score = score
        self.dtype = np.dtype(dtype)
        _validation.choice("dtype", str(self.dtype), _DTYPES)
        unit = _validation.whole_number_or_none("unit", unit, least=1)
        self.unit = min(self.samples, unit or usual_unit(pairs, columns, dtype))
        chunk = _validation.whole_number_or_none("chunk_columns", chunk_columns, least=1)
        self.chunk_columns = chunk or _usual_chunk(self.unit, columns, dtype)
        if column_nodes is None and score == "channels":
            raise ValueError("column_nodes must say the node of each column where score='channels'")
        column_nodes = np.arange(columns) if column_nodes is None else column_nodes
        self.column_nodes = _validation.node_indices("column_nodes", column_nodes, columns)
        last = int(self.column_nodes.max())
        nodes = last + 1 if nodes is None else nodes
        self.nodes = _validation.whole_number("nodes", nodes, least=1)
        if self.nodes <= last:
            raise ValueError(
                f"nodes must be more than all of column_nodes; got {nodes}, and a column of node "
                f"{last}"
            )
        plain = np.array_equal(self.column_nodes, np.arange(columns))
        if score == "magnitude" and not (plain and self.nodes == columns):
            raise ValueError(
                f"column_nodes and nodes must be left out where score='magnitude', which has one "
                f"column for each node, in their order; got {nodes} nodes and {columns} columns"
            )
        names = _validation.node_names(node_names, self.nodes)
        self.node_names = None if names is None else tuple(names)
        if edge_index is not None:
            edge_index = _validation.edge_index("edge_index", edge_index, (self.nodes,) * 2)
        self.edge_index: np.ndarray | None = edge_index
        self.provenance = dict(provenance or {})
        self.path: Any = path
        self.units = -(-self.samples // self.unit)
        self.nbytes = 2 * pairs * samples * columns * self.dtype.itemsize
        # Of both arrays: a chunk is read at a time, a shard written.
        across = -(-columns // self.chunk_columns)
        self._layout = {
            "shape": (pairs, samples, columns),
            "dtype": self.dtype,
            "chunks": (1, self.unit, self.chunk_columns),
            "shards": (pairs, self.unit, across * self.chunk_columns),
        }
        # Of the file of a unit: chunks with checksums, a place for each, and a checksum.
        chunk = self.unit * self.chunk_columns * self.dtype.itemsize
        self._unit_bytes = pairs * across * (chunk + 4 + 16) + 4

    def _indices(self) -> dict[str, np.ndarray]:
        """Arrays beside both sides, for those who read a store without this package."""
        values = np.arange(self.pairs), np.arange(self.samples), self.column_nodes
        return dict(zip(_INDICES, values, strict=True))

    def rows_of(self, unit: int) -> tuple[int, int]:
        """First sample of a unit, and the one after its last."""
        return unit * self.unit, min(self.samples, (unit + 1) * self.unit)

    def to_json(self) -> dict[str, Any]:
        """Everything but the path, as JSON would give it back."""
        names = [name for name in signature(StoreMetadata).parameters if name != "path"]
        text = json.dumps(
            {name: getattr(self, name) for name in names},
            allow_nan=False,
            default=lambda value: value.tolist() if isinstance(value, np.ndarray) else str(value),
        )
        plain: dict[str, Any] = json.loads(text)
        return plain


def usual_unit(pairs: int, columns: int, dtype: Any) -> int:
    """Samples of a unit, where nobody says how many.

    >>> [usual_unit(10, columns, "float32") for columns in (1_000, 5_000, 100_000)]
    [1677, 1000, 67]
    """
    sample = pairs * columns * int(np.dtype(dtype).itemsize)
    return max(1, min(max(_UNIT_BYTES // sample, _LEAST_SAMPLES), _MOST_BYTES // sample))


def _usual_chunk(unit: int, columns: int, dtype: Any) -> int:
    """Columns that are worth reading together.

    >>> [_usual_chunk(unit, 100_000, "float32") for unit in (3355, 134, 67)]
    [64, 256, 512]
    """
    chunk, column = _CHUNK_COLUMNS, unit * np.dtype(dtype).itemsize
    while chunk < min(columns, _MOST_COLUMNS) and chunk * column < _CHUNK_BYTES:
        chunk *= 2
    return chunk


class ObservationStore(StoreMetadata):
    """Activations and gradients on disk, read by columns, layer pairs and samples.

    Made by `open_store`, `capture_to_store` or `StoreWriter.finish`.

    Attributes
    ----------
    path : Path
    pairs, samples, columns, score, nodes, column_nodes, ...
        As of `StoreMetadata`.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gsnn_edges.store import StoreWriter
    >>> folder = tempfile.TemporaryDirectory()
    >>> writer = StoreWriter.create(f"{folder.name}/seen", pairs=2, samples=5, columns=3, unit=5)
    >>> writer.put(0, np.zeros((2, 5, 3)), np.ones((2, 5, 3)))
    >>> store = writer.finish()
    >>> store.pairs, store.samples, store.columns, store.nbytes
    (2, 5, 3, 240)
    >>> store.read("g", columns=slice(0, 2)).shape
    (10, 2)
    >>> folder.cleanup()
    """

    def fingerprint(self) -> str:
        """SHA-256 of every value and of the metadata.

        Digests of the values were noted as they were written, so that only these notes are read.
        """
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode())
        for unit in range(self.units):
            noted = _read_note(self.path, unit)
            digest.update("".join(str(noted[side]) for side in _SIDES).encode())
        return digest.hexdigest()

    def read(
        self, side: str, columns: Span = None, pairs: Span = None, samples: Span = None
    ) -> np.ndarray:
        """Read a part of the activations (side "a") or of the gradients ("g").

        Parameters
        ----------
        side : {"a", "g"}
        columns, pairs, samples : slice, or (start, stop), optional
            All by default.

        Returns
        -------
        array of shape (pairs * samples, columns)
            Row ``l * S + b`` is sample ``b`` of layer pair ``l``, as `capture` gives it.

        Raises
        ------
        ValueError
            For another side, a part outside the store, a file that is broken, NaN or infinity.

        Notes
        -----
        Reads whole chunks of ``chunk_columns``, each with a checksum. Peak memory: that of the
        result, and of one unit of it.

        Examples
        --------
        >>> import tempfile, numpy as np
        >>> from gsnn_edges.store import StoreWriter
        >>> folder = tempfile.TemporaryDirectory()
        >>> writer = StoreWriter.create(f"{folder.name}/seen.zarr", pairs=1, samples=3, columns=2)
        >>> a = np.arange(6.0, dtype="float32").reshape(1, 3, 2)
        >>> writer.put(0, a, -a)
        >>> writer.finish().read("g", (1, 2))
        array([[-1.],
               [-3.],
               [-5.]], dtype=float32)
        >>> folder.cleanup()
        """
        if side not in _SIDES:
            raise ValueError(f"side must be 'a' or 'g'; got {side!r}")
        first, last = _bounds("pairs", pairs, self.pairs)
        left, right = _bounds("columns", columns, self.columns)
        top, bottom = _bounds("samples", samples, self.samples)
        array = _open_group(self.path, "r")[side]
        out = np.empty((last - first, bottom - top, right - left), self.dtype)
        for start in range(top - top % self.unit, bottom, self.unit):
            low, high = max(top, start), min(bottom, start + self.unit)
            try:
                part = array[first:last, low:high, left:right]
            except Exception as error:  # a broken file has many kinds of errors
                raise ValueError(
                    f"path must be a whole store; the samples from {low} in {str(self.path)!r} "
                    f"cannot be read ({type(error).__name__}: {error}): capture them again"
                ) from error
            if not np.isfinite(part).all():
                raise ValueError(
                    f"path must be a store of finite numbers; {str(self.path)!r} holds NaN or "
                    f"infinity in the samples from {low}: capture them again"
                )
            out[:, low - top : high - top] = part
        return out.reshape(-1, right - left)


def _bounds(name: str, span: Span, length: int) -> tuple[int, int]:
    if isinstance(span, slice):
        first, last, step = span.indices(length)
        if step != 1:
            raise ValueError(f"{name} must be a slice without a step; got {span}")
    else:
        first, last = (0, length) if span is None else span
    if not 0 <= first < last <= length:
        raise ValueError(f"{name} must be a part of 0 .. {length}; got {first} .. {last}")
    return first, last


def open_store(path: Any) -> ObservationStore:
    """Open a store of observations, which `capture_to_store` has written whole.

    Parameters
    ----------
    path : str or path
        Of the folder.

    Returns
    -------
    ObservationStore

    Raises
    ------
    FileNotFoundError
        Where nothing is there.
    ValueError
        For a folder that is no store, one that is not finished, arrays that are not as the store
        says, a file that was cut short, or a store of a newer version.
    ImportError
        When zarr is not installed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gsnn_edges.store import StoreWriter
    >>> folder = tempfile.TemporaryDirectory()
    >>> writer = StoreWriter.create(f"{folder.name}/seen", pairs=2, samples=5, columns=3, unit=5)
    >>> writer.put(0, np.zeros((2, 5, 3)), np.ones((2, 5, 3)))
    >>> _ = writer.finish()
    >>> open_store(f"{folder.name}/seen").score
    'magnitude'
    >>> folder.cleanup()
    """
    path = _io.as_path("path", path)
    store = ObservationStore(path, **_read_metadata(path))
    missing = _missing_units(path, store)
    if missing:
        raise ValueError(
            f"path must be a whole store; {str(path)!r} has {store.units - len(missing)} of "
            f"{store.units} units: call capture_to_store again with the same arguments, and it "
            "goes on from there"
        )
    return store


class StoreWriter(StoreMetadata):
    """Writes observations unit by unit; one that was killed can be resumed.

    Attributes
    ----------
    path : Path
    pairs, samples, columns, score, nodes, column_nodes, ...
        As of `StoreMetadata`.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/seen.zarr"
    >>> sizes = {"pairs": 2, "samples": 5, "columns": 3, "unit": 4}
    >>> writer = StoreWriter.create(path, **sizes)
    >>> a, g = np.random.default_rng(0).random((2, 2, 5, 3))
    >>> writer.put(0, a[:, :4], g[:, :4])
    >>> writer = StoreWriter.resume(path, **sizes)
    >>> writer.missing
    [1]
    >>> writer.put(1, a[:, 4:], g[:, 4:])
    >>> writer.finish().read("a").shape
    (10, 3)
    >>> folder.cleanup()
    """

    @classmethod
    def create(cls, path: Any, **metadata: Any) -> Self:
        """Make a store without observations.

        Parameters
        ----------
        path : str or path
            Of a folder that is not there yet.
        **metadata
            ``pairs``, ``samples`` and ``columns``; and, where the usual does not suit, ``score``,
            ``nodes``, ``column_nodes``, ``unit``, ``chunk_columns``, ``node_names``,
            ``edge_index``, ``dtype`` and ``provenance``: see `StoreMetadata`.

        Raises
        ------
        FileExistsError
            Where something is there already.
        TypeError, ValueError
            For metadata that do not keep their rules.
        """
        path = _io.as_path("path", path)
        writer = cls(path, **metadata)
        if path.exists():
            raise FileExistsError(
                f"path must be new; there is something at {str(path)!r}: remove it, choose another "
                "path, or resume"
            )
        with _io.whole(_io.new_path("path", path)) as unfinished:
            writer._fill(unfinished)
        return writer

    @classmethod
    def resume(cls, path: Any, **metadata: Any) -> Self:
        """Go on with a store that was made with the same metadata."""
        path = _io.as_path("path", path)
        writer = cls(path, **_read_metadata(path))
        here, there = StoreMetadata(**metadata).to_json(), writer.to_json()
        for each in (here, there):
            provenance = each.pop("provenance").items()
            each.update({f"provenance of {name}": value for name, value in provenance})
        different = [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
        if different:
            raise ValueError(
                f"path must be a store that was made in the same way; {str(path)!r} differs in "
                f"{', '.join(different)}: remove it, or choose another path"
            )
        for side, ending in product(_SIDES, ("partial", "unfinished")):
            for leftover in (path / side).rglob(f"*.{ending}"):  # what a killed process was writing
                leftover.unlink()
        return writer

    def _fill(self, path: Path) -> None:
        """Make the group, its arrays and its indices."""
        attributes = {"format": OBSERVATIONS, "format_version": _VERSION, "facts": self.to_json()}
        group = import_zarr().create_group(os.fspath(path), zarr_format=3, attributes=attributes)
        for side in _SIDES:
            group.create_array(
                side,
                **self._layout,
                # Not smaller, but bytes that a disk has spoilt are an error.
                compressors=import_zarr("zarr.codecs").Crc32cCodec(),
                fill_value=0,
                dimension_names=("layer_pair", "sample", "column"),
            )
        for name, values in self._indices().items():
            group.create_array(name, data=values.astype(np.int64), compressors=None)

    @property
    def missing(self) -> list[int]:
        """Units that are still to be written."""
        return _missing_units(self.path, self)

    def inputs(self, unit: int) -> str | None:
        """Digest of the inputs that a finished unit was made of."""
        return _read_note(self.path, unit)["inputs"]

    def put(self, unit: int, a: np.ndarray, g: np.ndarray, inputs: str | None = None) -> None:
        """Write the activations and gradients of a unit, each of shape (P, samples, C).

        ``inputs`` may be a digest of what they were made of.
        """
        if unit not in range(self.units):
            raise ValueError(f"unit must be in 0 .. {self.units - 1}; got {unit}")
        top, bottom = self.rows_of(unit)
        shape = (self.pairs, bottom - top, self.columns)
        for name, values in (("a", a), ("g", g)):
            if values.shape != shape:
                raise ValueError(
                    f"{name} of unit {unit} must be of shape {shape}; got {values.shape}"
                )
        try:
            self._write(unit, {"a": a, "g": g}, inputs)
        except OSError as error:
            if not _io.is_full(error):
                raise
            kept = self.units - len(self.missing)
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: unit {unit} was not written; {kept} of {self.units} units are "
                f"kept in {str(self.path)!r}: make room, and call again with the same arguments",
            ) from error

    def _write(self, unit: int, sides: Mapping[str, np.ndarray], inputs: str | None) -> None:
        """Write both sides to the disk itself, and then a note with their digests."""
        top, bottom = self.rows_of(unit)
        group = _open_group(self.path, "r+")
        for side, values in sides.items():
            # Chunks of zeros are written too, so that each whole file has the same length.
            group[side].with_config({"write_empty_chunks": True})[:, top:bottom] = values
        note = {side: _digest(values, self.dtype) for side, values in sides.items()}
        for side in _SIDES:
            file = _unit_file(self.path, side, unit)
            _io.flush(file)
            _io.flush(file.parent)
        _io.write_json(_unit_file(self.path, "note", unit), {**note, "inputs": inputs})

    def finish(self) -> ObservationStore:
        """Open the store, which must be whole."""
        return open_store(self.path)


def _digest(values: np.ndarray, dtype: np.dtype[Any]) -> str:
    plain: Any = np.ascontiguousarray(values, dtype).reshape(-1)
    return hashlib.sha256(plain.view(np.uint8)).hexdigest()


def import_zarr(module: str = "zarr") -> Any:
    """Import zarr, where something on disk is read or written."""
    return _validation.imported(module, "what lies on disk in a .zarr needs zarr", "store")


def _open_group(path: Path, mode: str) -> Any:
    if not path.exists():
        raise FileNotFoundError(
            f"path must be a store of observations; there is none at {str(path)!r}: look at its "
            "folder, or write one by capture_to_store"
        )
    try:
        return import_zarr().open_group(os.fspath(path), mode=mode, zarr_format=3)
    except ImportError:
        raise
    except Exception as error:  # broken metadata has many kinds of errors
        kind = type(error).__name__
        way = "capture_to_store writes one"
        if kind == "ContainsArrayError":
            way = "it holds an array, as W is, which correlate makes of them and evaluate takes"
        raise ValueError(
            f"path must be a store of observations; {str(path)!r} is no zarr group of version 3 "
            f"({kind}): {way}"
        ) from error


def is_empty_store(path: Path) -> bool:
    """Whether this is a store of observations that nothing was ever written to."""
    try:
        ours = _open_group(path, "r").attrs.get("format") == OBSERVATIONS
    except ValueError:
        return False
    return ours and not any((path / side / "c").exists() for side in _SIDES)


def _read_metadata(path: Path) -> dict[str, Any]:
    """Metadata of a store, held against its arrays before anything is counted by them."""
    group = _open_group(path, "r")
    attributes = dict(group.attrs)
    if attributes.get("format") != OBSERVATIONS:
        raise ValueError(
            f"path must be a store of observations; {str(path)!r} is a zarr of something else: "
            "capture_to_store writes one"
        )
    version = attributes.get("format_version")
    if type(version) is not int or version != _VERSION:
        newer = type(version) is int and version > _VERSION
        raise ValueError(
            f"path must be a store of format version {_VERSION}; {str(path)!r} has version "
            f"{version}: {'install a newer gsnn-edges to read it' if newer else 'capture it again'}"
        )
    try:
        metadata: dict[str, Any] = attributes["facts"]
        said = StoreMetadata(**metadata)
        for side, (name, value) in product(_SIDES, said._layout.items()):
            if (there := getattr(group[side], name)) != value:
                raise ValueError(f"{name} of {side!r} must be {value}; got {there}")
        for name, size in zip(_INDICES, (said.pairs, said.samples, said.columns), strict=True):
            if (shape := group[name].shape) != (size,) or group[name].dtype != np.int64:
                raise ValueError(f"{name!r} must be int64 of shape {(size,)}; got {shape}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"path must be a whole store of observations; {str(path)!r} says of itself what cannot "
            f"be ({error}): capture it again"
        ) from error
    return metadata


def _unit_file(path: Path, side: str, unit: int) -> Path:
    """File of a side of a unit, or of the note that is written when both are on the disk."""
    if side == "note":
        return path / _SIDES[-1] / "c" / "0" / str(unit) / "unit.json"
    return path / side / "c" / "0" / str(unit) / "0"


def _read_note(path: Path, unit: int) -> dict[str, str | None]:
    """Digests of a unit."""
    file = _unit_file(path, "note", unit)
    try:
        note: dict[str, str | None] = json.loads(file.read_text(encoding="utf-8"))
        return {name: note[name] for name in (*_SIDES, "inputs")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"path must be a whole store; {str(file)!r} is broken: remove that file, and call "
            f"capture_to_store again to make unit {unit} anew"
        ) from error


def _missing_units(path: Path, metadata: StoreMetadata) -> list[int]:
    """Units of which a file is missing; one that was cut short is an error."""
    missing, expected = [], metadata._unit_bytes
    for unit in range(metadata.units):
        files = [_unit_file(path, side, unit) for side in _SIDES]
        sizes = [file.stat().st_size if file.exists() else None for file in files]
        for file, size in zip(files, sizes, strict=True):
            if size not in (None, expected):
                raise ValueError(
                    f"path must be a whole store; {str(file)!r} has {size:,} bytes and must have "
                    f"{expected:,}: remove that file, and call capture_to_store again to make unit "
                    f"{unit} anew"
                )
        if None in sizes or not _unit_file(path, "note", unit).exists():
            missing.append(unit)
    return missing
