"""What a call of `correlate_store` asks for, when all its arguments keep their rules."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._io import format_bytes, parse_bytes
from gsnn_edges._typing import Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.channels import node_tables
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import BACKENDS
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS
from gsnn_edges.scale.outputs import Output, checked_output
from gsnn_edges.scale.settings import checked_settings, spans_of
from gsnn_edges.scale.sides import Side, Span
from gsnn_edges.scale.sizes import Job
from gsnn_edges.store import ObservationStore, open_store


@dataclass(frozen=True)
class Request:
    """A checked call.

    Attributes
    ----------
    spans : sequence of (int, int)
        Layer pairs of each matrix of the mean.
    ops, precision
        The backend with its products, and the dtype of all else.
    settings : dict
        What the result follows from, ready for JSON.
    """

    store: Any
    output: Output | None
    spans: Sequence[Span]
    method: Method
    ties: Ties
    n_components: int | None
    ops: Backend
    precision: Precision
    max_memory: int
    top: int | None
    threshold: float | None
    scratch: Path | None
    resume: bool
    verbose: bool
    settings: dict[str, Any]

    @property
    def channels(self) -> bool:
        """Whether nodes have several columns."""
        return bool(self.store.score == "channels")

    @property
    def length(self) -> int:
        """Observations of a matrix."""
        first, last = self.spans[0]
        return (last - first) * int(self.store.samples)

    @property
    def free_memory(self) -> int:
        """Give the bound, less what the strongest targets take."""
        pair = 8 + np.dtype(self.precision).itemsize
        kept = 2 * pair * int(self.store.nodes) * (self.top or 0)
        if kept >= self.max_memory:
            raise ValueError(
                f"top must leave room in max_memory={format_bytes(self.max_memory)}; got "
                f"{self.top}, which takes {format_bytes(kept)}: keep fewer, or give more memory"
            )
        return self.max_memory - kept

    def sides(self) -> tuple[Side, Side]:
        """Give sources and targets."""
        # Directions are those of centred rows, which a shift does not leave.
        members = self.members()
        shared = (members, self.channels, self.n_components, self.ops, self.method, self.ties)
        return (
            Side(self.store, "a", *shared, self.precision, False),
            Side(self.store, "g", *shared, self.precision, self.n_components is None),
        )

    def members(self) -> np.ndarray:
        """Give the columns of each node."""
        if not self.channels:
            return np.arange(self.store.columns)[:, None]
        # Only its shape is looked at.
        empty = np.broadcast_to(np.float32(0), (self.length, self.store.columns))
        nodes = self.store.column_nodes
        return node_tables(empty, empty, nodes, nodes, self.store.nodes)[0]

    def job(self) -> Job:
        """Give what the sizes follow from."""
        side, _ = self.sides()
        item = np.dtype(self.precision).itemsize
        # torch's libraries pack the operands of a product (measured: once more each).
        copied = self.ops.name in ("jax", "torch")
        return Job(
            nodes=side.count,
            observations=self.length,
            parts=len(self.spans),
            widest=side.widest,
            widths=(side.width, side.width),
            read=np.dtype(self.store.dtype).itemsize,
            item=item,
            copies=3 if copied else 1,
            unit=self.store.unit * (self.spans[0][1] - self.spans[0][0]),
            line=self.store.chunk_columns,
            shared=self.ops.ranker().name == "numpy",
            compiled=self.n_components is not None,
        )


def checked_request(
    store: Any,
    out: Any,
    *,
    method: Method,
    ties: Ties,
    layers: LayerChoice,
    n_components: int | None,
    max_memory: Any,
    top: Any,
    threshold: Any,
    precision: Precision,
    backend: str,
    device: Device,
    scratch: Any,
    resume: bool,
    verbose: bool,
) -> Request:
    """Check all arguments of `correlate_store`."""
    store = store if isinstance(store, ObservationStore) else open_store(store)
    settings = checked_settings(
        store,
        method=method,
        ties=ties,
        layers=layers,
        n_components=n_components,
        precision=precision,
        top=top,
        threshold=threshold,
    )
    top, threshold = settings["top"], settings["threshold"]
    spans = spans_of(settings["layers"], store.pairs)
    ops, dtype = checked_ops(store, spans, precision, backend, device)
    output = checked_output(out, kind_of(top, threshold))
    if output is not None:
        check_apart(output.path, store.path)
    return Request(
        store,
        output,
        spans,
        method,
        ties,
        settings["n_components"],
        ops,
        dtype,
        parse_bytes("max_memory", max_memory),
        top,
        threshold,
        checked_scratch(scratch),
        _validation.flag("resume", resume),
        _validation.flag("verbose", verbose),
        settings,
    )


def kind_of(top: int | None, threshold: float | None) -> str:
    """Give what is kept of W."""
    if top is not None and threshold is not None:
        raise ValueError(
            f"top and threshold must not both be given; got {top} and {threshold}: call twice"
        )
    return "top" if top is not None else "threshold" if threshold is not None else "matrix"


def checked_ops(
    store: Any, spans: Sequence[Span], precision: Precision, backend: str, device: Device
) -> tuple[Backend, Precision]:
    """Give the backend, and the dtype of ranks and result."""
    _validation.choice("backend", backend, BACKENDS)
    ops = backends.load(backend, device)
    length = (spans[0][1] - spans[0][0]) * store.samples
    if precision == "float64" or length >= FLOAT32_OBSERVATIONS:
        _validation.float64_there(ops.xp, "this correlation")
        precision = "float64"
    if np.dtype(store.dtype) == np.float64:
        _validation.float64_there(ops.xp, "a store of dtype float64")
    return ops, precision


def check_apart(out: Path, store: Path) -> None:
    """Reject a result in the folder of its own observations."""
    inside = store.resolve()
    if inside in (out.resolve(), *out.resolve().parents):
        raise ValueError(
            f"out must lie outside the store of observations; got {str(out)!r}, within "
            f"{str(store)!r}: choose another folder"
        )


def checked_scratch(scratch: Any) -> Path | None:
    """Give a folder that is there."""
    if scratch is None:
        return None
    if not isinstance(scratch, str | os.PathLike):
        raise TypeError(f"scratch must be a text or a path; got {type(scratch).__name__}")
    path = Path(scratch).absolute()
    if not path.is_dir():
        raise NotADirectoryError(
            f"scratch must be a folder that is there; got {str(path)!r}: make it first"
        )
    return path
