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
    row_chunk = _checks.whole_number_or_none("row_chunk", row_chunk, least=1)
    ops, precision = checked_backend(a, g, method, ties, precision, backend, device)
    return Kernel(ops, precision).run(*both_sides(a, g, ops, method, ties, precision), row_chunk)


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
    _checks.choice("method", method, METHODS)
    _checks.choice("ties", ties, TIES)
    _checks.choice("precision", precision, PRECISIONS)
    check_pair(a, g)
    ops = choose_backend(a, g, backend, device)
    if precision == "float64" or a.shape[0] >= FLOAT32_OBSERVATIONS:
        _checks.float64_there(ops.xp, "this correlation")
        precision = "float64"
    check_values("a", a, ops)
    check_values("g", g, ops)
    return ops, precision


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
        options = {"method": self.method, "ties": self.ties, "shift": self.shift}
        columns = self.x[:, low:high].T
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
    """The chunk loop: products of the rows of sources with those of targets."""

    ops: Backend
    precision: Precision

    def run(self, sources: Columns, targets: Columns, row_chunk: int | None) -> Array:
        """Correlate all nodes; memory follows the chunks."""
        widths = sources.width, targets.width
        shape = (sources.observations, sources.count, targets.count)
        chunks = chunk_sizes(
            self.ops, shape, 4 if self.precision == "float32" else 8, row_chunk, widths
        )
        try:
            return self.fill(sources, targets, chunks)
        except Exception as error:
            explained = explain_memory(error, chunks, self.ops)
            if explained is None:
                raise
            raise explained from error

    def fill(self, sources: Columns, targets: Columns, chunks: Chunks) -> Array:
        """Write the result, some targets at a time; as a rule all of them."""
        shape = (sources.count, targets.count)
        out = self.ops.empty(shape, getattr(self.ops.xp, self.precision))
        for left, right in windows(targets.count, chunks.targets):
            out = self.fill_columns(out, left, right, sources, targets, chunks.sources)
        return out

    # The standardized targets, and a chunk of sources, belong to a call of the next two methods:
    # one is gone before the next is made.

    def fill_columns(
        self, out: Array, left: int, right: int, sources: Columns, targets: Columns, row_chunk: int
    ) -> Array:
        """Write the columns of some targets, which stay while sources come and go."""
        rows = targets.rows(left, right)
        for top, bottom in windows(sources.count, row_chunk):
            products = self.ops.matmul(sources.rows(top, bottom), rows)
            out = self.ops.write(out, self.reduced(products, sources, targets), top, left)
        return out

    def reduced(self, products: Array, sources: Columns, targets: Columns) -> Array:
        """Give one number for each pair of nodes; the rounding of a product may leave [-1, 1]."""
        return self.ops.xp.clip(products, -1, 1)
