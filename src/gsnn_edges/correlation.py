"""The rectangular cross-correlation of two matrices, by chunks of columns."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.chunks import Chunks, chunk_sizes, halved, out_of_memory, raise_explained
from gsnn_edges.options import METHODS, PRECISIONS, check_pair, load_backend, over_devices
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS, TIES, on_ranker, standardize_rows


def cross_correlation(
    a: Array,
    g: Array,
    *,
    method: Method = "spearman",
    ties: Ties = "average",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
    devices: Any = None,
) -> Array:
    """Correlate every column of ``a`` with every column of ``g``.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Na) and (M, Ng)
        M >= 2 observations in rows. Both of one library, on one device.
    method : {"spearman", "pearson"}
        Correlation of the ranks or of the values.
    ties : {"average", "ordinal"}
        How Spearman ranks equal values: see `rankdata`.
    row_chunk : int, optional
        Columns of ``a`` at a time. It bounds the memory of the whole kernel, ranking included,
        and changes the result by no more than rounding. By default chosen from the memory that
        is free.
    precision : {"float32", "float64"}
        Of the ranks, the product and the result, whatever the library is set to.
    backend : {"numpy", "torch", "jax"}, optional
        Where to compute. By default in the library of ``a``, where ``a`` lies. With a name,
        chunks of ``a`` and ``g`` are moved there from wherever they are.
    device : optional
        A device of that backend, or its name; only together with ``backend``.
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        Several devices that share the work, by ``backend="jax"``; in place of ``device``. By
        default those over which a JAX input is sharded already. ``row_chunk`` is then that of
        each device, and more of it is in docs/scaling.md.

    Returns
    -------
    array of shape (Na, Ng)
        Correlations in [-1, 1]; 0 wherever a column is constant. An array of the backend. Of
        several devices, sharded by rows where their number divides Na, else whole on each.

    Raises
    ------
    TypeError
        When ``a`` or ``g`` is not an array of real numbers, or they are of two libraries and
        ``backend`` is not given.
    ValueError
        For wrong shapes, M < 2, NaN or infinity (not seen under ``jax.jit``, where values
        cannot be looked at), an unknown option, or float64 where the backend has none.
    ImportError
        When the backend's library is not installed.
    MemoryError
        When a chunk does not fit; the message says which would.

    Warns
    -----
    UserWarning
        When a chunk did not fit, and half of it is tried; not on several devices.

    Notes
    -----
    Only the rectangular block is computed, never the square of both. Constant means
    max == min: no threshold. float64 and integer input is ranked as it is, so an offset of 1e8
    costs no digits. Against SciPy in float64, float32 results are within 1e-6 for continuous
    columns and columns with one large tied value, within 4e-6 for columns of few distinct
    values, up to M = 1e6. From 2**23 observations on, all is float64.

    Peak memory on a CPU, inputs included: 2.2 times the bytes of ``a`` and ``g`` and 1.1 times
    those of the result. On another device, beyond inputs that lie there: the bytes of ``g`` in
    float32, those of the result, 0.5 GB for ranking, and for sources 5% of the inputs, or 0.3 GB if
    that is more. Inputs on the host are copied there block by block. A result that would take more
    than a fifth of the memory that is free comes back on the host, in the same library.

    On D devices each holds M Na / D and 3 M Ng / D standardized values, and Na Ng / D of W.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> cross_correlation(a, np.array([[0.0], [0.1], [9.0]])).round(6)
    array([[1.],
           [0.]], dtype=float32)
    """
    row_chunk = _validation.whole_number_or_none("row_chunk", row_chunk, least=1)
    if over_devices(a, g, backend, device, devices):
        from gsnn_edges.sharded import sharded_correlation

        return sharded_correlation(
            a,
            g,
            devices=devices,
            method=method,
            ties=ties,
            row_chunk=row_chunk,
            precision=precision,
        )
    ops, precision = checked_backend(a, g, method, ties, precision, backend, device)
    sides = both_sides(a, g, ops, method, ties, precision)
    return Kernel(ops, precision, may_leave=True).run(*sides, row_chunk)


def checked_backend(
    a: Array,
    g: Array,
    method: Method,
    ties: Ties,
    precision: Precision,
    backend: str | None,
    device: Device,
) -> tuple[Backend, Precision]:
    """Give the backend and the precision it takes, when all arguments keep their rules."""
    _validation.choice("method", method, METHODS)
    _validation.choice("ties", ties, TIES)
    _validation.choice("precision", precision, PRECISIONS)
    check_pair(a, g)
    ops = choose_backend(a, g, backend, device)
    if precision == "float64" or a.shape[0] >= FLOAT32_OBSERVATIONS:
        _validation.float64_there(ops.xp, "this correlation")
        precision = "float64"
    check_values("a", a, ops)
    check_values("g", g, ops)
    return ops, precision


def choose_backend(a: Array, g: Array, backend: str | None, device: Device) -> Backend:
    """Give the backend by name, or else the one that both arrays are of."""
    if backend is not None:
        return load_backend(backend, device)
    if device is not None:
        raise ValueError(f"device={device!r} needs backend= beside it: name the library to use")
    ops, other = backends.of(a), backends.of(g)
    if (ops.name, ops.xp) != (other.name, other.xp):
        raise TypeError(
            f"a and g must be of one library; got {type(a).__module__} and {type(g).__module__}: "
            "convert one of them, or name the backend= to move both to"
        )
    if ops.device != other.device and None not in (ops.device, other.device):
        raise ValueError(
            f"a and g must lie on one device; got {ops.device} and {other.device}: move one of "
            "them, or name the backend= and device= to move both to"
        )
    return ops


def check_values(name: str, x: Array, ops: Backend) -> None:
    """Reject values that have no rank, or would lose digits on the way to the backend."""
    owner = backends.of(x)
    if _validation.dtype_name(x) in ("float64", "int64", "uint64"):
        _validation.float64_there(ops.xp, f"{name} of dtype {x.dtype}")
    if owner.concrete(x):
        _validation.finite(name, x)


@dataclass(frozen=True)
class Columns:
    """Columns of an array, which become standardized rows of a backend, some at a time.

    ``width`` rows make one of the ``count`` nodes; ``shift`` is that of `standardize_rows`.
    """

    x: Array
    ops: Backend
    method: Method
    ties: Ties
    precision: Precision
    shift: bool

    @property
    def count(self) -> int:
        """Number of nodes."""
        return int(self.x.shape[1])

    @property
    def observations(self) -> int:
        """Length of a row."""
        return int(self.x.shape[0])

    @property
    def width(self) -> int:
        """Rows of a node."""
        return 1

    def rows(self, low: int, high: int) -> Array:
        """Standardized rows of the nodes ``low`` to ``high``."""
        return self.standardized(backends.of(self.x).columns_as_rows(self.x, low, high))

    def standardized(self, columns: Array) -> Array:
        """Standardized rows of some columns, which are moved if need be."""
        options = {"method": self.method, "ties": self.ties, "shift": self.shift}
        return on_ranker(standardize_rows, columns, self.ops, self.precision, **options)


def both_sides(
    a: Array, g: Array, ops: Backend, method: Method, ties: Ties, precision: Precision
) -> tuple[Columns, Columns]:
    """Give sources and targets; targets are shifted, which keeps the digits of their products."""
    return (
        Columns(a, ops, method, ties, precision, False),
        Columns(g, ops, method, ties, precision, True),
    )


@dataclass(frozen=True)
class Kernel:
    """The chunk loop: products of the rows of sources with those of targets.

    ``may_leave`` says that a result too large for the device may come back on the host.
    """

    ops: Backend
    precision: Precision
    may_leave: bool = False

    def run(self, sources: Columns, targets: Columns, row_chunk: int | None) -> Array:
        """Correlate all nodes; memory follows the chunks, which are halved once if need be."""
        chunks = self.chunks(sources, targets, row_chunk)
        try:
            return self.fill(sources, targets, chunks)
        except Exception as error:
            smaller = halved(chunks)
            if smaller is None or not out_of_memory(error):
                raise_explained(error, chunks, self.ops)
        # Out here: an error holds on to what filled the memory.
        warnings.warn(
            f"row_chunk={chunks.sources} did not fit in the memory of {self.ops.name} "
            f"{self.ops.device or 'cpu'}: going on with row_chunk={smaller.sources}, which is "
            "worth giving from the start",
            stacklevel=3,
        )
        try:
            return self.fill(sources, targets, smaller)
        except Exception as error:
            raise_explained(error, smaller, self.ops)

    def chunks(self, sources: Columns, targets: Columns, row_chunk: int | None) -> Chunks:
        """Choose how much is on the device at a time."""
        return chunk_sizes(
            self.ops,
            (sources.observations, sources.count, targets.count),
            4 if self.precision == "float32" else 8,
            row_chunk,
            (sources.width, targets.width),
            may_leave=self.may_leave,
        )

    def fill(self, sources: Columns, targets: Columns, chunks: Chunks) -> Array:
        """Write the result, some targets at a time; as a rule all of them."""
        shape = (sources.count, targets.count)
        home = self.ops.host() if chunks.leaves else self.ops
        out = home.empty(shape, getattr(home.xp, self.precision))
        for left, right in windows(targets.count, chunks.targets):
            for top, block in self.column_blocks(left, right, sources, targets, chunks.sources):
                out = home.write(out, backends.move(block, home), top, left)
                del block  # before the next is made
        return out

    # The standardized targets belong to a call of the next method, a chunk of sources to a step of
    # its loop: one is gone before the next is made.

    def column_blocks(
        self, left: int, right: int, sources: Columns, targets: Columns, row_chunk: int
    ) -> Iterator[tuple[int, Array]]:
        """Give the blocks of some targets, which stay while sources come and go."""
        rows = self.resident(targets, left, right, row_chunk)
        spans = [*windows(sources.count, row_chunk)]
        tracked = track(spans, len(spans), "correlating", verbose=None)
        for low, high in tracked:
            products = self.ops.matmul(sources.rows(low, high), rows)
            yield low, self.reduced(products, sources, targets)
            del products

    def resident(self, targets: Columns, left: int, right: int, row_chunk: int) -> Array:
        """Standardized rows of some targets; what is copied to a device is so in chunks."""
        # NumPy ranks in place, and XLA decides by itself what becomes of parts of traced arrays.
        if self.ops.ranker().device is None or right - left <= row_chunk:
            return targets.rows(left, right)
        shape = (right - left) * targets.width, targets.observations
        rows = self.ops.empty(shape, getattr(self.ops.xp, self.precision))
        for low, high in windows(right - left, row_chunk):
            block = targets.rows(left + low, left + high)
            rows = self.ops.write(rows, block, low * targets.width, 0)
            del block
        return rows

    def reduced(self, products: Array, sources: Columns, targets: Columns) -> Array:
        """Give one number for each pair of nodes; the rounding of a product may leave [-1, 1]."""
        return self.ops.xp.clip(products, -1, 1)
