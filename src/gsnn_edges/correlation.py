"""The rectangular cross-correlation of two matrices, by chunks of columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._tables import as_arrays
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.chunks import Chunks, chunk_sizes, halved, out_of_memory, raise_explained
from gsnn_edges.options import CorrelationOptions, check_pair, check_values
from gsnn_edges.ranks import (
    correlation_dtype,
    on_ranker,
    rank_rows,
    standardize_drawn,
    standardize_rows,
)


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
        M >= 2 observations in rows. Both of one library, on one device. A DataFrame counts as a
        NumPy array; two with an index must have the same one.
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
    options = CorrelationOptions(
        method=method,
        ties=ties,
        row_chunk=row_chunk,
        precision=precision,
        backend=backend,
        device=device,
        devices=devices,
    )
    a, g = as_arrays(a=a, g=g)
    return correlate(a, g, options)


def correlate(a: Array, g: Array, options: CorrelationOptions) -> Array:
    """`cross_correlation` with options that are checked already."""
    check_pair(a, g)
    if options.shared(a, g):
        from gsnn_edges.sharded import correlate_sharded

        return correlate_sharded(a, g, options)
    ops, dtype = backend_and_dtype(a, g, options, by_multiply=True)
    return multiply(*operands(a, g, ops, dtype, options), may_leave=True)


def backend_and_dtype(
    a: Array, g: Array, options: CorrelationOptions, *, by_multiply: bool = False
) -> tuple[Backend, str]:
    """Return the backend that correlates, and the dtype of ranks, product and result.

    Rejects values that have no rank or would lose digits on the way to the backend; NaN is left to
    `multiply` where it gets these sides and ranks them by a kernel.
    """
    ops, other = backends.of(a), backends.of(g)
    if options.backend is not None:
        ops = backends.load(options.backend, options.device)
    elif (ops.name, ops.xp) != (other.name, other.xp):
        raise TypeError(
            f"a and g must be of one library; got {type(a).__module__} and {type(g).__module__}: "
            "convert one of them, or name the backend= to move both to"
        )
    elif ops.device != other.device and None not in (ops.device, other.device):
        raise ValueError(
            f"a and g must lie on one device; got {ops.device} and {other.device}: move one of "
            "them, or name the backend= and device= to move both to"
        )
    dtype = correlation_dtype(ops.xp, options.precision, a.shape[0])
    fused = by_multiply and options.method == "spearman" and 0 not in (*a.shape, *g.shape)
    check_values("a", a, ops, ranked_as=dtype if fused else "")
    check_values("g", g, ops, ranked_as=dtype if fused else "")
    return ops, dtype


@dataclass(frozen=True)
class Operand:
    """One side of a correlation: columns that become standardized rows, some nodes at a time.

    Attributes
    ----------
    x : array of shape (M, columns)
        Of any library and device. With ``draw`` it is what `resampling` prepares.
    dtype : str
        Of the rows.
    shift : bool
        As of `standardize_rows`.
    members : int array of shape (N, widest), optional
        The columns of each node, -1 for none. Without it each column is a node.
    n_components : int, optional
        Keep so many principal directions of the rows of a node.
    layers : int
        Standardize so many equal stretches of the observations one by one.
    draw : two arrays of shape (n,), optional
        Places of the observations that were drawn, and how often each was.
    """

    x: Array
    ops: Backend
    dtype: str
    options: CorrelationOptions
    shift: bool
    members: np.ndarray | None = None
    n_components: int | None = None
    layers: int = 1
    draw: tuple[Array, Array] | None = None

    @property
    def count(self) -> int:
        """Number of nodes."""
        return int(self.x.shape[1]) if self.members is None else len(self.members)

    @property
    def observations(self) -> int:
        """Length of a row."""
        return int(self.x.shape[0] if self.draw is None else self.draw[0].shape[0])

    @property
    def width(self) -> int:
        """Rows of a node."""
        if self.members is None:
            return 1
        widest = int(self.members.shape[1])
        return widest if self.n_components is None else min(widest, self.n_components)

    @_validation.underflow_is_zero
    def rows(self, low: int, high: int) -> Array:
        """Standardized rows of the nodes ``low`` to ``high``."""
        columns = self._columns(low, high)
        if self.layers == 1:
            return self._standardized(columns, low, high)
        shape = (high - low) * self.width, self.observations
        out = self.ops.empty(shape, getattr(self.ops.xp, self.dtype))
        for start, stop in layer_bounds(self.observations, self.layers):
            part = self._standardized(columns[:, start:stop], low, high)
            out = self.ops.write(out, part, 0, start)
        return out

    def _columns(self, low: int, high: int) -> Array:
        """Columns of some nodes, as rows; a view where they lie side by side."""
        owner = backends.of(self.x)
        if self.members is None:
            return owner.columns_as_rows(self.x, low, high)
        members = self.members[low:high].reshape(-1)
        first = int(members[0])
        if np.array_equal(members, np.arange(first, first + len(members))):
            return owner.columns_as_rows(self.x, first, first + len(members))
        return owner.xp.take(self.x, owner.adopt(np.maximum(members, 0)), axis=1).T

    def _standardized(self, columns: Array, low: int, high: int) -> Array:
        ops, xp = self.ops, self.ops.xp
        options: dict[str, Any] = {"shift": self.shift}
        method, ties = self.options.method, self.options.ties
        if self.draw is None and method == "spearman":
            rows = rank_rows(columns, ops, self.dtype, ties=ties, standardize=True, **options)
        elif self.draw is None:
            options |= {"method": method, "ties": ties}
            rows = on_ranker(standardize_rows, columns, ops, self.dtype, **options)
        else:
            pick, weights = self.draw
            columns = ops.ranker().xp.take(columns, pick, axis=1)
            options |= {"method": method, "length": self.x.shape[0]}
            rows = on_ranker(standardize_drawn, columns, ops, self.dtype, weights, **options)
        if self.members is None:
            return rows
        present = self.members[low:high].reshape(-1, 1) >= 0
        if not present.all():
            rows = xp.where(ops.adopt(present), rows, xp.zeros_like(rows))
        widest = self.members.shape[1]
        if self.width == widest:
            return rows
        return ops.call(leading_components, rows, width=widest, n_components=self.width)


def operands(
    a: Array, g: Array, ops: Backend, dtype: str, options: CorrelationOptions
) -> tuple[Operand, Operand]:
    """Return sources and targets; targets are shifted, which keeps the digits of products."""
    return Operand(a, ops, dtype, options, False), Operand(g, ops, dtype, options, True)


def layer_bounds(length: int, layers: int) -> list[tuple[int, int]]:
    """First and last observation of each layer, half-open.

    >>> layer_bounds(6, 2)
    [(0, 3), (3, 6)]
    """
    size = length // layers
    return [(start, start + size) for start in range(0, length, size)]


def leading_components(rows: Array, *, ops: Backend, width: int, n_components: int) -> Array:
    """Project the ``width`` rows of each node on their leading principal directions.

    The norm of a block of products stays what it is, but for what lies in other directions.
    """
    xp = ops.xp
    nodes, length = rows.shape[0] // width, rows.shape[1]
    each = xp.reshape(rows, (nodes, width, length))
    gram = xp.matmul(each, xp.matrix_transpose(each))
    # Of a symmetric matrix, by rising eigenvalues.
    vectors = xp.linalg.eigh(gram).eigenvectors[:, :, width - n_components :]
    return xp.reshape(xp.matmul(xp.matrix_transpose(vectors), each), (nodes * n_components, length))


Reduce: TypeAlias = Callable[[Array, Operand, Operand], Array]


def multiply(
    sources: Operand, targets: Operand, reduce: Reduce | None = None, *, may_leave: bool = False
) -> Array:
    """Return one number for each pair of nodes, of the products of their rows: the chunk loop.

    Memory follows the chunks of sources, which are halved once if they do not fit.

    Parameters
    ----------
    reduce : callable, optional
        One number for each pair, of the products of all their rows; by default the product itself,
        clipped to [-1, 1], which rounding may leave.
    may_leave : bool
        Whether a result too large for the device may come back on the host.
    """
    ops = sources.ops
    chunks = chunks_of(sources, targets, may_leave=may_leave)
    smaller = halved(chunks)
    try:
        return _fill(sources, targets, reduce, chunks)
    except _validation.NonFiniteError:
        _validation.finite("a", sources.x)
        _validation.finite("g", targets.x)
        raise
    except Exception as error:
        if smaller is None or not out_of_memory(error):
            raise_explained(error, chunks, ops)
    # Out here: an error holds on to what filled the memory.
    _validation.warn(
        f"row_chunk={chunks.sources} did not fit in the memory of {ops.name} "
        f"{ops.device or 'cpu'}: going on with row_chunk={smaller.sources}, which is "
        "worth giving from the start"
    )
    try:
        return _fill(sources, targets, reduce, smaller)
    except Exception as error:
        raise_explained(error, smaller, ops)


def chunks_of(sources: Operand, targets: Operand, *, may_leave: bool = False) -> Chunks:
    """Choose how much is on the device at a time."""
    return chunk_sizes(
        sources.ops,
        (sources.observations, sources.count, targets.count),
        4 if sources.dtype == "float32" else 8,
        sources.options.row_chunk,
        (sources.width, targets.width),
        may_leave=may_leave,
    )


def _fill(sources: Operand, targets: Operand, reduce: Reduce | None, chunks: Chunks) -> Array:
    """Write the result, some targets at a time; as a rule all of them."""
    library, ops = sources.ops, sources.ops.ranker()
    sources, targets = (replace(side, ops=ops) for side in (sources, targets))
    home = ops.host() if chunks.leaves else ops
    out = home.empty((sources.count, targets.count), getattr(home.xp, sources.dtype))
    for top, left, block, rows in row_pairs(sources, targets, chunks):
        for down, part in tiles(block, sources):
            for right, other in tiles(rows, targets):
                products = ops.matmul(part, other)
                products = (
                    reduce(products, sources, targets) if reduce else ops.xp.clip(products, -1, 1)
                )
                products = backends.move(products, home) if chunks.leaves else products
                out = home.write(out, products, top + down, left + right)
                del products, other
            del part
        del block, rows  # before the next ones are made
    return out if ops is library else library.take_over(out)


def tiles(rows: Array, operand: Operand) -> Iterator[tuple[int, Array]]:
    """Parts of rows that are multiplied at once, each after its first node; all on a device."""
    width, size = max(1, operand.width), operand.ops.tile_rows
    if size is None:
        yield 0, rows
    else:
        step = max(1, size // width) * width
        for low in range(0, len(rows), step):
            yield low // width, rows[low : low + step]


def row_pairs(
    sources: Operand, targets: Operand, chunks: Chunks
) -> Iterator[tuple[int, int, Array, Array]]:
    """Rows of sources and of targets that meet, after the first source and the first target.

    Targets stay while sources come and go. Each is let go before the next ones are made, if the
    caller does not keep them.
    """
    # NumPy ranks in place, and XLA decides by itself what becomes of parts of traced arrays.
    whole = targets.ops.ranker().device is None
    for left, right in windows(targets.count, chunks.targets):
        if whole or right - left <= chunks.sources:
            rows = targets.rows(left, right)
        else:
            rows = _rows_by_chunks(targets, left, right, chunks.sources)
        spans = [*windows(sources.count, chunks.sources)]
        many = len(spans) > 1
        shown = track(spans, len(spans), "correlating", verbose=None) if many else spans
        for top, bottom in shown:
            block = sources.rows(top, bottom)
            yield top, left, block, rows
            del block
        del rows


def _rows_by_chunks(operand: Operand, left: int, right: int, size: int) -> Array:
    """Standardized rows of some nodes; what is copied to a device is so in chunks."""
    shape = (right - left) * operand.width, operand.observations
    rows = operand.ops.empty(shape, getattr(operand.ops.xp, operand.dtype))
    for low, high in windows(right - left, size):
        block = operand.rows(left + low, left + high)
        rows = operand.ops.write(rows, block, low * operand.width, 0)
        del block
    return rows
