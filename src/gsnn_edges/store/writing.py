"""A store of observations as it is written: unit by unit, each whole or not at all."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from gsnn_edges import _io
from gsnn_edges.store import folders
from gsnn_edges.store.facts import Facts, checked_facts, facts_of
from gsnn_edges.store.observations import ObservationStore, open_store


@dataclass(frozen=True)
class StoreWriter:
    """Writes observations unit by unit; one that was killed can be gone on with.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/seen.zarr"
    >>> facts = {"pairs": 2, "samples": 5, "columns": 3, "unit": 4}
    >>> writer = StoreWriter.create(path, **facts)
    >>> a, g = np.random.default_rng(0).random((2, 2, 5, 3))
    >>> writer.put(0, a[:, :4], g[:, :4])
    >>> writer = StoreWriter.resume(path, **facts)
    >>> writer.missing
    [1]
    >>> writer.put(1, a[:, 4:], g[:, 4:])
    >>> writer.finish().read("a").shape
    (10, 3)
    >>> folder.cleanup()
    """

    path: Path
    facts: Facts

    @classmethod
    def create(cls, path: Any, **facts: Any) -> Self:
        """Make a store without observations.

        Parameters
        ----------
        path : str or path
            Of a folder that is not there yet.
        **facts
            ``pairs``, ``samples`` and ``columns``; and, where the usual does not suit, ``score``,
            ``nodes``, ``column_nodes``, ``unit``, ``chunk_columns``, ``node_names``,
            ``edge_index``, ``dtype`` and ``provenance``: see `Facts`.

        Raises
        ------
        FileExistsError
            Where something is there already.
        TypeError, ValueError
            For facts that do not keep their rules.
        """
        path, found = folders.checked_path(path), checked_facts(**facts)
        if path.exists():
            raise FileExistsError(
                f"path must be new; there is something at {str(path)!r}: remove it, choose another "
                "path, or resume"
            )
        folders.make(path, found)
        return cls(path, found)

    @classmethod
    def resume(cls, path: Any, **facts: Any) -> Self:
        """Go on with a store that was made with the same facts."""
        path, wanted = folders.checked_path(path), checked_facts(**facts)
        there = facts_of(path, dict(folders.opened(path, "r").attrs))
        different = wanted.difference(there)
        if different:
            raise ValueError(
                f"path must be a store that was made in the same way; {str(path)!r} differs in "
                f"{', '.join(different)}: remove it, or choose another path"
            )
        for leftover in path.rglob("*.partial"):  # what a killed process was writing
            leftover.unlink()
        return cls(path, there)

    @property
    def missing(self) -> list[int]:
        """Units that are still to be written."""
        return folders.missing_units(self.path, self.facts)

    def inputs(self, unit: int) -> str | None:
        """Give the digest of the inputs that a finished unit was made of."""
        return folders.digests_of(self.path, unit)["inputs"]

    def put(self, unit: int, a: np.ndarray, g: np.ndarray, inputs: str | None = None) -> None:
        """Write the activations and gradients of a unit, each of shape (P, samples, C).

        ``inputs`` may be a digest of what they were made of.
        """
        if unit not in range(self.facts.units):
            raise ValueError(f"unit must be in 0 .. {self.facts.units - 1}; got {unit}")
        top, bottom = self.facts.rows_of(unit)
        shape = (self.facts.pairs, bottom - top, self.facts.columns)
        for name, values in (("a", a), ("g", g)):
            if values.shape != shape:
                raise ValueError(
                    f"{name} of unit {unit} must be of shape {shape}; got {values.shape}"
                )
        group = folders.opened(self.path, "r+")
        sides = dict(zip(folders.SIDES, (a, g), strict=True))
        try:
            for side, values in sides.items():
                # Chunks of zeros are written too, so that each whole file has the same length.
                array = group[side].with_config({"write_empty_chunks": True})
                array[:, top:bottom] = values
            digests = {side: digest(values, self.facts.dtype) for side, values in sides.items()}
            folders.vouch(self.path, unit, digests | {"inputs": inputs})
        except OSError as error:
            self.explain(error, unit)
            raise

    def explain(self, error: OSError, unit: int) -> None:
        """Say what a full disk has left."""
        if _io.is_full(error):
            kept = self.facts.units - len(self.missing)
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: unit {unit} was not written; {kept} of {self.facts.units} "
                f"units are kept in {str(self.path)!r}: make room, and call again with the same "
                "arguments",
            ) from error

    def finish(self) -> ObservationStore:
        """Open the store, which must be whole."""
        return open_store(self.path)


def digest(values: np.ndarray, dtype: str) -> str:
    """Give the SHA-256 of values as they are stored."""
    plain: Any = np.ascontiguousarray(values, dtype).reshape(-1)
    return hashlib.sha256(plain.view(np.uint8)).hexdigest()
