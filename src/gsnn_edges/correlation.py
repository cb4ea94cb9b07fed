"""The rectangular cross-correlation of two matrices, by chunks of columns."""

from dataclasses import dataclass

from gsnn_edges import _checks, backends
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.backends.windows import windows
from gsnn_edges.chunks import Chunks, chunk_sizes, explain_memory
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS, TIES, on_ranker
from gsnn_edges.standardization import standardize_rows

METHODS = ("spearman", "pearson")
PRECISIONS = ("float32", "float64")


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
        Of the ranks, the product and the result.
    backend : {"numpy", "torch", "jax", "generic"}, optional
        Where to compute. By default in the library of ``a``, where ``a`` lies. With a name,
        chunks of ``a`` and ``g`` are moved there from wherever they are.
    device : optional
        A device of that backend, or its name; only together with ``backend``.

    Returns
    -------
    array of shape (Na, Ng)
        Correlations in [-1, 1]; 0 wherever a column is constant. An array of the backend.

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

    Notes
    -----
    Only the rectangular block is computed, never the square of both. Constant means
    max == min: no threshold. float64 and integer input is ranked as it is, so an offset of 1e8
    costs no digits. Against SciPy in float64, float32 results are within 1e-6 for continuous
    columns and columns with one large tied value, within 4e-6 for columns of few distinct
    values, up to M = 1e6.

    Peak memory on a CPU, inputs included: 2.2 times the bytes of ``a`` and ``g`` and 1.1 times
    those of the result.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> cross_correlation(a, np.array([[0.0], [0.1], [9.0]])).round(6)
    array([[1.],
           [0.]], dtype=float32)
    """
    _checks.choice("method", method, METHODS)
    _checks.choice("ties", ties, TIES)
    _checks.choice("precision", precision, PRECISIONS)
    if row_chunk is not None:
        row_chunk = _checks.whole_number("row_chunk", row_chunk, least=1)
    check_pair(a, g)
    ops = choose_backend(a, g, backend, device)
    if precision == "float64" or a.shape[0] >= FLOAT32_OBSERVATIONS:
        _checks.float64_there(ops.xp, "this correlation")
        precision = "float64"
    check_values("a", a, ops)
    check_values("g", g, ops)
    return Kernel(ops, method, ties, precision).run(a, g, row_chunk)


def check_pair(a: Array, g: Array) -> None:
    """Reject shapes that do not go together."""
    for name, x in (("a", a), ("g", g)):
        _checks.array(name, x)
        _checks.ndim(name, x, 2, "(observations, nodes)")
    if a.shape[0] != g.shape[0]:
        raise ValueError(
            f"a and g must have the same number of observations (rows); got {a.shape[0]} and "
            f"{g.shape[0]}"
        )
    if a.shape[0] < 2:
        raise ValueError(
            f"a and g must have at least 2 observations (rows); got {a.shape[0]}: a correlation "
            "of fewer does not exist"
        )


def choose_backend(a: Array, g: Array, backend: str | None, device: Device) -> Backend:
    """Give the backend by name, or else the one that both arrays are of."""
    if backend is not None:
        return backends.load(backend, device)
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
    if _checks.dtype_name(x) in ("float64", "int64", "uint64"):
        _checks.float64_there(ops.xp, f"{name} of dtype {x.dtype}")
    if owner.concrete(x):
        _checks.finite(name, x)


@dataclass(frozen=True)
class Kernel:
    """The chunk loop, with what does not change from chunk to chunk."""

    ops: Backend
    method: Method
    ties: Ties
    precision: Precision

    def run(self, a: Array, g: Array, row_chunk: int | None) -> Array:
        """Correlate all columns; memory follows the chunks."""
        shape = (a.shape[0], a.shape[1], g.shape[1])
        chunks = chunk_sizes(self.ops, shape, 4 if self.precision == "float32" else 8, row_chunk)
        try:
            return self.fill(a, g, chunks)
        except Exception as error:
            explained = explain_memory(error, chunks, self.ops)
            if explained is None:
                raise
            raise explained from error

    def fill(self, a: Array, g: Array, chunks: Chunks) -> Array:
        """Write the result, some targets at a time; as a rule all of them."""
        out = self.ops.empty((a.shape[1], g.shape[1]), getattr(self.ops.xp, self.precision))
        for left, right in windows(g.shape[1], chunks.targets):
            out = self.fill_columns(out, left, a, g[:, left:right], chunks.sources)
        return out

    # The standardized targets, and a chunk of sources, belong to a call of the next two methods:
    # one is gone before the next is made.

    def fill_columns(self, out: Array, left: int, a: Array, g: Array, row_chunk: int) -> Array:
        """Write the columns of some targets, which stay while sources come and go."""
        targets = self.standardized(g, shift=True)
        for top, bottom in windows(a.shape[1], row_chunk):
            out = self.ops.write(out, self.block(a[:, top:bottom], targets), top, left)
        return out

    def block(self, columns: Array, targets: Array) -> Array:
        """Correlate a chunk of sources with standardized targets."""
        products = self.ops.matmul(self.standardized(columns, shift=False), targets)
        return self.ops.xp.clip(products, -1, 1)

    def standardized(self, columns: Array, *, shift: bool) -> Array:
        """Columns of any library as standardized rows of the backend."""
        options = {"method": self.method, "ties": self.ties, "shift": shift}
        return on_ranker(standardize_rows, columns.T, self.ops, self.precision, **options)
