"""What a store of observations says of itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gsnn_edges import _validation

FORMAT = "gsnn-edges observations"
VERSION = 2
SCORES = ("magnitude", "channels")
DTYPES = ("float32", "float64")
# Bytes of a unit, of one side.
UNIT_BYTES = 1 << 26
# Where so many bytes hold few samples, columns would be read in tiny pieces: a unit then holds
# more of them, up to so many bytes.
LEAST_SAMPLES, MOST_BYTES = 1000, 1 << 28
# Columns of an inner chunk, the fewest that are read at a time; more where a chunk would be small.
CHUNK_COLUMNS, MOST_COLUMNS, CHUNK_BYTES = 64, 512, 1 << 17


@dataclass(frozen=True)
class Facts:
    """Everything but the numbers.

    Attributes
    ----------
    pairs, samples, columns : int
        Shape (P, S, C) of activations and of gradients: layer pairs, samples, columns.
    score : {"magnitude", "channels"}
        One column for each node, or signed channels.
    nodes : int
        Number of nodes N.
    column_nodes : tuple of C int
        The node of each column.
    unit : int
        Samples that are written at a time.
    chunk_columns : int
        Columns that are read at a time.
    node_names : tuple of N str, or None
    edge_index : tuple of two tuples of E int, or None
        The edges that the model knows.
    dtype : {"float32", "float64"}
    provenance : dict
        How the observations were made, ready for JSON.
    """

    pairs: int
    samples: int
    columns: int
    score: str
    nodes: int
    column_nodes: tuple[int, ...]
    unit: int
    chunk_columns: int = CHUNK_COLUMNS
    node_names: tuple[str, ...] | None = None
    edge_index: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    dtype: str = "float32"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """Number of units; the last one may hold fewer samples."""
        return -(-self.samples // self.unit)

    @property
    def unit_bytes(self) -> int:
        """Bytes of the file of a unit: chunks with checksums, a place for each, and a checksum."""
        chunks = self.pairs * -(-self.columns // self.chunk_columns)
        chunk = self.unit * self.chunk_columns * np.dtype(self.dtype).itemsize
        return chunks * (chunk + 4 + 16) + 4

    def rows_of(self, unit: int) -> tuple[int, int]:
        """First sample of a unit, and the one after its last."""
        return unit * self.unit, min(self.samples, (unit + 1) * self.unit)

    def as_json(self) -> dict[str, Any]:
        """Give the facts as JSON would give them back."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return found

    def difference(self, other: "Facts") -> list[str]:
        """Name what differs, a part of the provenance by its own name."""
        own, its = flat(self.as_json()), flat(other.as_json())
        return sorted(name for name in own.keys() | its.keys() if own.get(name) != its.get(name))


def flat(facts: dict[str, Any]) -> dict[str, Any]:
    """Put the provenance beside the other facts."""
    return {name: value for name, value in facts.items() if name != "provenance"} | {
        f"provenance of {name}": value for name, value in facts["provenance"].items()
    }


def checked_facts(
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
) -> Facts:
    """Give facts in plain types, when all keep their rules."""
    sizes = {"pairs": pairs, "samples": samples, "columns": columns}
    sizes = {name: _validation.whole_number(name, value, least=1) for name, value in sizes.items()}
    _validation.choice("score", score, SCORES)
    _validation.choice("dtype", dtype := str(np.dtype(dtype)), DTYPES)
    unit = _validation.whole_number_or_none("unit", unit, least=1)
    unit = min(sizes["samples"], unit or usual_unit(sizes["pairs"], sizes["columns"], dtype))
    chunk = _validation.whole_number_or_none("chunk_columns", chunk_columns, least=1)
    if column_nodes is None and score == "channels":
        raise ValueError("column_nodes must say the node of each column where score='channels'")
    own = np.arange(columns) if column_nodes is None else column_nodes
    own = _validation.node_indices("column_nodes", own, columns)
    nodes = (
        int(own.max()) + 1 if nodes is None else _validation.whole_number("nodes", nodes, least=1)
    )
    if nodes <= own.max():
        raise ValueError(
            f"nodes must be more than all of column_nodes; got {nodes}, and a column of node "
            f"{own.max()}"
        )
    if node_names is not None and len(node_names) != nodes:
        raise ValueError(f"node_names must name {nodes} nodes; got {len(node_names)}")
    edges = (
        None
        if edge_index is None
        else _validation.edge_index("edge_index", edge_index, (nodes,) * 2)
    )
    return Facts(
        **sizes,
        score=score,
        nodes=nodes,
        column_nodes=tuple(own.tolist()),
        unit=unit,
        chunk_columns=chunk or usual_chunk(unit, columns, dtype),
        node_names=None if node_names is None else tuple(map(str, node_names)),
        edge_index=None if edges is None else (tuple(edges[0].tolist()), tuple(edges[1].tolist())),
        dtype=dtype,
        provenance=dict(provenance or {}),
    )


def usual_unit(pairs: int, columns: int, dtype: str) -> int:
    """Give the samples that fill a unit.

    >>> [usual_unit(10, columns, "float32") for columns in (1_000, 5_000, 100_000)]
    [1677, 1000, 67]
    """
    sample = pairs * columns * np.dtype(dtype).itemsize
    return max(1, min(max(UNIT_BYTES // sample, LEAST_SAMPLES), MOST_BYTES // sample))


def usual_chunk(unit: int, columns: int, dtype: str) -> int:
    """Give the columns that are worth reading together.

    >>> [usual_chunk(unit, 100_000, "float32") for unit in (3355, 134, 67)]
    [64, 256, 512]
    """
    chunk, column = CHUNK_COLUMNS, unit * np.dtype(dtype).itemsize
    while chunk < min(columns, MOST_COLUMNS) and chunk * column < CHUNK_BYTES:
        chunk *= 2
    return chunk


def facts_of(path: Any, attributes: Mapping[str, Any]) -> Facts:
    """Read the facts of a store, and see that it is one of ours."""
    if attributes.get("format") != FORMAT:
        raise ValueError(
            f"path must be a store of observations; {str(path)!r} is a zarr of something else: "
            "capture_to_store writes one"
        )
    version = attributes.get("format_version")
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        raise ValueError(
            f"path must be a store of format version {VERSION}; {str(path)!r} has version "
            f"{version}: {'install a newer gsnn-edges to read it' if newer else 'capture it again'}"
        )
    try:
        return checked_facts(**attributes["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"path must be a whole store of observations; {str(path)!r} says of itself what cannot "
            f"be ({error}): capture it again"
        ) from error
