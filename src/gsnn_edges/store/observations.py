"""A store of observations as its readers see it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gsnn_edges.store.facts import Facts, facts_of
from gsnn_edges.store.folders import SIDES, checked_path, digests_of, missing_units, opened

Span: TypeAlias = slice | tuple[int, int] | None


@dataclass(frozen=True)
class ObservationStore:
    """Activations and gradients on disk, read by columns, layer pairs and samples.

    Made by `open_store`, `capture_to_store` or `StoreWriter.finish`.

    Attributes
    ----------
    path : Path
    facts : Facts
        Everything but the numbers; its fields are attributes of the store too.

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

    path: Path
    facts: Facts

    @property
    def pairs(self) -> int:
        """Layer pairs P."""
        return self.facts.pairs

    @property
    def samples(self) -> int:
        """Samples S."""
        return self.facts.samples

    @property
    def columns(self) -> int:
        """Columns C of each side."""
        return self.facts.columns

    @property
    def nodes(self) -> int:
        """Nodes N."""
        return self.facts.nodes

    @property
    def score(self) -> str:
        """Give "magnitude" where a column is a node, "channels" where it is a channel."""
        return self.facts.score

    @property
    def column_nodes(self) -> np.ndarray:
        """The node of each column, int64 of shape (C,)."""
        return np.array(self.facts.column_nodes, np.int64)

    @property
    def node_names(self) -> tuple[str, ...] | None:
        """Names of the nodes, where they are known."""
        return self.facts.node_names

    @property
    def edge_index(self) -> np.ndarray | None:
        """Edges that the model knows, int64 of shape (2, E), where they were given."""
        edges = self.facts.edge_index
        return None if edges is None else np.array(edges, np.int64).reshape(2, -1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of activations and gradients."""
        return np.dtype(self.facts.dtype)

    @property
    def unit(self) -> int:
        """Samples of a file."""
        return self.facts.unit

    @property
    def chunk_columns(self) -> int:
        """Columns that are read at a time."""
        return self.facts.chunk_columns

    @property
    def provenance(self) -> dict[str, Any]:
        """How the observations were made."""
        return dict(self.facts.provenance)

    @property
    def nbytes(self) -> int:
        """Bytes of both sides."""
        return 2 * self.pairs * self.samples * self.columns * self.dtype.itemsize

    def fingerprint(self) -> str:
        """Tell these observations from any others: by every value, and by how they were made.

        Digests of the values were noted as they were written, so that nothing but the notes is
        read here.
        """
        facts = self.facts.as_json()
        found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for unit in range(self.facts.units):
            noted = digests_of(self.path, unit)
            found.update("".join(str(noted[side]) for side in SIDES).encode())
        return found.hexdigest()

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
        if side not in SIDES:
            raise ValueError(f"side must be 'a' or 'g'; got {side!r}")
        first, last = bounds("pairs", pairs, self.pairs)
        left, right = bounds("columns", columns, self.columns)
        top, bottom = bounds("samples", samples, self.samples)
        array = opened(self.path, "r")[side]
        found = np.empty((last - first, bottom - top, right - left), self.dtype)
        for start in range(top - top % self.unit, bottom, self.unit):
            low, high = max(top, start), min(bottom, start + self.unit)
            part = self.part(array, slice(first, last), slice(low, high), slice(left, right))
            found[:, low - top : high - top] = part
        return found.reshape(-1, right - left)

    def part(self, array: Any, *where: slice) -> np.ndarray:
        """Read from one unit, and see that its numbers are finite."""
        try:
            found: np.ndarray = array[where]
        except Exception as error:  # a broken file has many kinds of errors
            raise ValueError(
                f"path must be a whole store; the samples from {where[1].start} in "
                f"{str(self.path)!r} cannot be read ({type(error).__name__}: {error}): capture "
                "them again"
            ) from error
        if not np.isfinite(found).all():
            raise ValueError(
                f"path must be a store of finite numbers; {str(self.path)!r} holds NaN or infinity "
                f"in the samples from {where[1].start}: capture them again"
            )
        return found


def bounds(name: str, span: Span, length: int) -> tuple[int, int]:
    """Give the first number of a part, and the one after its last."""
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
        For a folder that is no store, one that is not finished, a file that was cut short, or a
        store of a newer version.
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
    path = checked_path(path)
    facts = facts_of(path, dict(opened(path, "r").attrs))
    missing = missing_units(path, facts)
    if missing:
        raise ValueError(
            f"path must be a whole store; {str(path)!r} has {facts.units - len(missing)} of "
            f"{facts.units} units: call capture_to_store again with the same arguments, and it "
            "goes on from there"
        )
    return ObservationStore(path, facts)
