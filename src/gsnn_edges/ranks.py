"""Ranks with ties, and rows standardized, written once for every backend.

A product of two standardized rows, of mean 0 and length 1, is their correlation.
"""

import math
from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._tables import as_array
from gsnn_edges._typing import Array, Method, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.options import TIES

# From here on, ranks of whole and half numbers no longer fit the 24 bits of float32.
FLOAT32_OBSERVATIONS = 1 << 23
# Terms summed one after another: the error of a float32 sum grows with their number.
_SUM_LENGTH = 64


def rankdata(x: Array, *, axis: int = 0, ties: Ties = "average") -> Array:
    """Ranks of the values along an axis, beginning at 1.

    Parameters
    ----------
    x : array of real numbers, any shape
        NumPy, torch, JAX or another Array API array, on any device; or a DataFrame.
    axis : int
        The axis along which values are compared; observations lie along axis 0 in this package.
    ties : {"average", "ordinal"}
        Equal values share the mean of their ranks, or are ranked in the order in which they
        stand. -0.0 equals 0.0.

    Returns
    -------
    array
        Same shape, library and device. float32 below 2**23 values along the axis; float64 from
        there on, and where ``x`` is float64.

    Raises
    ------
    TypeError
        When ``x`` is not an array of real numbers.
    ValueError
        When ``x`` holds NaN or infinity (not seen under ``jax.jit``, where values cannot be
        looked at), ``axis`` or ``ties`` is unknown, or 2**23 values or more would be ranked by
        a library that has no float64.

    Notes
    -----
    Equal to ``scipy.stats.rankdata`` with ``method="average"`` and ``"ordinal"``. Peak memory:
    the result, and a few copies of one block (2**18 values a thread on a CPU, 2**23 values on
    a device). JAX ranks subnormal numbers as zero on a device.

    Examples
    --------
    >>> import numpy as np
    >>> rankdata(np.array([0.3, 0.1, 0.3, 0.2], dtype=np.float32))
    array([3.5, 1. , 3.5, 2. ], dtype=float32)
    """
    x = as_array("x", x)
    ops = backends.of(x)
    _validation.choice("ties", ties, TIES)
    axis = _validation.axis("axis", axis, x.ndim)
    dtype = rank_dtype(ops.xp, x.dtype, x.shape[axis])
    # By NumPy on a CPU: to JAX, a view of other axes is a copy.
    engine = ops.ranker()
    x = backends.move(x, engine)
    if engine.concrete(x) and not engine.has_kernel(x, dtype):
        _validation.finite("x", x)
    moved = engine.xp.moveaxis(x, axis, -1)
    rows = engine.xp.reshape(moved, (math.prod(moved.shape[:-1]), x.shape[axis]))
    try:
        ranks = rank_rows(rows, engine, dtype, ties=ties)
    except _validation.NonFiniteError:
        _validation.finite("x", x)
        raise
    ranks = engine.xp.moveaxis(engine.xp.reshape(ranks, moved.shape), -1, axis)
    return ranks if engine is ops else ops.take_over(ranks)


def rank_dtype(xp: Any, dtype: Any, observations: int) -> str:
    """Dtype that holds the ranks of so many observations exactly."""
    if observations < FLOAT32_OBSERVATIONS and dtype != xp.float64:
        return "float32"
    _validation.float64_there(xp, f"{observations} observations")
    return "float64"


def correlation_dtype(xp: Any, precision: str, observations: int) -> str:
    """Dtype of the ranks, products and result of a correlation."""
    if precision == "float32" and observations < FLOAT32_OBSERVATIONS:
        return precision
    _validation.float64_there(xp, "this correlation")
    return "float64"


def on_ranker(
    fn: Any, rows: Array, ops: Backend, dtype: str, *shared: Array, **options: Any
) -> Array:
    """Map ``fn`` over rows of any library where ``ops`` ranks fastest; ``ops`` gets the result.

    ``shared`` arrays lie there already.
    """
    engine = ops.ranker()
    mapped = engine.map_rows(fn, backends.move(rows, engine), dtype, *shared, **options)
    return mapped if engine is ops else ops.take_over(mapped)


def rank_rows(
    rows: Array,
    ops: Backend,
    dtype: str,
    *,
    ties: Ties,
    standardize: bool = False,
    shift: bool = False,
) -> Array:
    """Ranks of each row of any library, standardized if that is wanted, as an array of ``ops``.

    A kernel makes them where there is one, else the formulas below. ``dtype`` may be int32, for
    ranks rounded down; ``shift`` is that of `standardize_rows`.
    """
    engine = ops.ranker()
    rows = backends.move(rows, engine)
    options: dict[str, Any] = {"standardize": standardize, "shift": shift}
    ranks = engine.rank_rows(rows, dtype, average=ties == "average", **options)
    if ranks is None:
        ranks = engine.map_rows(_rank_rows, rows, dtype, ties=ties, **options)
    return ranks if engine is ops else ops.take_over(ranks)


def _rank_rows(
    x: Array, *, ops: Backend, ties: Ties, dtype: str, standardize: bool, shift: bool
) -> Array:
    """Ranks of each row, each in the place of its value."""
    xp = ops.xp
    real = rank_dtype(xp, x.dtype, x.shape[1]) if dtype == "int32" else dtype
    ranks, order, run_length, varies = _sorted_ranks(x, ops=ops, ties=ties, dtype=real)
    if standardize:
        ranks = ranks - (x.shape[1] + 1) / 2
        scale = _inverse_length(ranks, varies, xp)
        if shift and ties == "average":
            commonest = xp.argmax(run_length, axis=1, keepdims=True)
            ranks = ranks - xp.take_along_axis(ranks, commonest, axis=1)
        ranks = ranks * scale
    return ops.scatter_rows(order, xp.astype(ranks, getattr(xp, dtype), copy=False))


def key_rows(rows: Array, ops: Backend) -> Array:
    """Whole numbers in [0, length) that compare as the values of their row do.

    Average ranks rounded down: those of two neighbouring runs of equal values lie at least 1
    apart, so that they stay apart.
    """
    keys = rank_rows(rows, ops, "int32", ties="average")
    keys -= 1
    return keys


def _weighted_ranks(
    keys: Array, weights: Array, *, ops: Backend, dtype: str, length: int
) -> tuple[Array, Array]:
    """Average ranks of rows in which value j stands ``weights[j]`` times, without a sort.

    Parameters
    ----------
    keys : (rows, n) array
        Some columns of what `key_rows` gave for rows of ``length`` values.
    weights : (n,) array
        Whole numbers, of a sum below 2**30.

    Returns
    -------
    ranks, commonest
        ``ranks[r, j]`` of each value, and of shape (rows, 1) that of the commonest value.
    """
    xp, real = ops.xp, getattr(ops.xp, dtype)
    count = ops.sum_by_key(keys, xp.astype(weights, xp.int32), length)
    # The last of the values with a key has the rank `upto`, the first `upto - count + 1`. Twice
    # their mean, in whole numbers: a running sum of floats is several times slower.
    twice = 2 * xp.cumulative_sum(count, axis=1, dtype=xp.int32) - count + 1
    most = xp.argmax(count, axis=1, keepdims=True)
    # By flat places: several times faster than along an axis.
    place = keys + xp.arange(keys.shape[0], device=ops.device)[:, None] * length
    ranks = xp.take(xp.reshape(twice, (-1,)), xp.reshape(place, (-1,)))
    ranks = xp.astype(xp.reshape(ranks, keys.shape), real) / 2
    return ranks, xp.astype(xp.take_along_axis(twice, most, axis=1), real) / 2


def _sorted_ranks(
    x: Array, *, ops: Backend, ties: Ties, dtype: str
) -> tuple[Array, Array, Array, Array]:
    """Ranks of each row in rising order, with what takes them back to their places.

    Returns
    -------
    ranks, order, run_length, varies
        ``ranks[r, k]`` belongs to ``x[r, order[r, k]]``; ``run_length`` counts the values that
        share its rank; ``varies`` of shape (rows, 1) is false for a constant row.
    """
    xp = ops.xp
    keys, order = ops.sort_rows(x)
    varies = keys[:, -1:] != keys[:, :1]
    if ties == "ordinal":
        ranks = xp.arange(1, x.shape[1] + 1, dtype=getattr(xp, dtype), device=ops.device)
        ranks = xp.broadcast_to(ranks[None, :], x.shape)
        return ranks, order, xp.ones_like(order), varies
    start, stop = ops.run_bounds(keys)
    # The ranks start + 1 .. stop share their mean: a half number, exact in this dtype.
    ranks = xp.astype(start + stop + 1, getattr(xp, dtype)) / 2
    return ranks, order, stop - start, varies


def standardize_rows(
    x: Array, *, ops: Backend, method: Method, ties: Ties, dtype: str, shift: bool
) -> Array:
    """Standardize each row; constant rows give 0.

    Parameters
    ----------
    x : (rows, M) array
    shift
        Move each row along so that its commonest value is exactly 0. The product with a row of
        mean 0 stays what it is, and keeps its digits: thousands of equal products, added one
        after another in float32, would all round the same way.
    """
    if method == "pearson":
        return _standardize_values(x, ops=ops, dtype=dtype, shift=shift)
    return _rank_rows(x, ops=ops, ties=ties, dtype=dtype, standardize=True, shift=shift)


def standardize_drawn(
    drawn: Array,
    weights: Array,
    *,
    ops: Backend,
    method: Method,
    dtype: str,
    shift: bool,
    length: int,
) -> Array:
    """Standardize rows in which column m stands ``weights[m]`` times.

    Parameters
    ----------
    drawn : (rows, n) array
        Values for Pearson; for Spearman some columns of what `key_rows` gave for rows of
        ``length`` values. No weight is 0 in all of a row.
    shift
        As in `standardize_rows`. Rows that are not shifted are multiplied by the weights, so that
        a product of one with one that is shifted counts each column as often as it stands.
    """
    xp = ops.xp
    weights = xp.astype(weights, getattr(xp, dtype), copy=False)
    if method == "pearson":
        rows = _standardize_values(drawn, weights, ops=ops, dtype=dtype, shift=shift)
        return rows if shift else rows * weights
    ranks, commonest = _weighted_ranks(drawn, weights, ops=ops, dtype=dtype, length=length)
    middle = (xp.sum(weights) + 1) / 2
    varies = xp.max(ranks, axis=1, keepdims=True) != xp.min(ranks, axis=1, keepdims=True)
    scale = _inverse_length(ranks - middle, varies, xp, weights)
    rows = (ranks - (commonest if shift else middle)) * scale
    return rows if shift else rows * weights


def _standardize_values(
    x: Array, weights: Array | None = None, *, ops: Backend, dtype: str, shift: bool
) -> Array:
    """Standardize the values of each row as they are, whatever their magnitude."""
    xp = ops.xp
    count = x.shape[1] if weights is None else xp.sum(weights)
    x = _in_range(_widened(x, xp, dtype), xp)
    varies = xp.max(x, axis=1, keepdims=True) != xp.min(x, axis=1, keepdims=True)
    # Centred twice: the mean of large values is rounded, and leaves a mean of its own.
    mean = _row_sum(_weighted(x, weights), xp) / count
    residue = _row_sum(_weighted(x - mean, weights), xp) / count
    centred = x - mean - residue
    largest = xp.max(xp.abs(centred), axis=1, keepdims=True)
    largest = xp.where(varies, largest, xp.ones_like(largest))
    scale = _inverse_length(centred / largest, varies, xp, weights) / largest
    if shift:
        zeros = _weighted(xp.astype(x == 0, x.dtype), weights)
        mostly_zero = _row_sum(zeros, xp) > count / 2
        centred = centred - xp.where(mostly_zero, 0 - mean - residue, xp.zeros_like(mean))
    return xp.astype(centred * scale, getattr(xp, dtype))


def _widened(x: Array, xp: Any, dtype: str) -> Array:
    """``x`` in the float that holds its values."""
    bits = xp.iinfo(x.dtype).bits if xp.isdtype(x.dtype, "integral") else 0
    wide = x.dtype == xp.float64 or dtype == "float64" or bits > 16
    wide = wide and _validation.has_float64(xp)
    if bits > (32 if wide else 16) and x.dtype != xp.uint64:
        return _from_least(x, xp, wide=wide)
    return xp.astype(x, xp.float64 if wide else xp.float32, copy=False)


def _from_least(x: Array, xp: Any, *, wide: bool) -> Array:
    """Whole numbers as floats; what a float would round is counted from the least of its row."""
    floats, whole, exact = (
        (xp.float64, xp.int64, 2.0**53) if wide else (xp.float32, xp.uint32, 2.0**24)
    )
    least, most = (extreme(x, axis=1, keepdims=True) for extreme in (xp.min, xp.max))
    low, high = xp.astype(least, floats), xp.astype(most, floats)
    # A difference of int64 may overflow; uint32 wraps round, and is right.
    far = ((low < -exact) | (high > exact)) & (high - low < 2.0**63)
    start = xp.astype(xp.where(far, least, xp.zeros_like(least)), whole)
    counted = xp.astype(xp.astype(x, whole) - start, floats)
    return xp.where(far, counted, xp.astype(x, floats))


def _in_range(x: Array, xp: Any) -> Array:
    """Rows of extreme values times a power of two, which no correlation sees.

    Their sums and squares neither overflow nor vanish.
    """
    half = 2.0 ** xp.finfo(x.dtype).bits
    largest = xp.max(xp.abs(x), axis=1, keepdims=True)
    one = xp.ones_like(largest)
    return x * xp.where(largest > half, one / half, xp.where(largest < 1 / half, one * half, one))


def _weighted(x: Array, weights: Array | None) -> Array:
    """Each column as often as it stands: once, unless there are weights."""
    return x if weights is None else x * weights


def _inverse_length(centred: Array, varies: Array, xp: Any, weights: Array | None = None) -> Array:
    """1 over the Euclidean length of each row, and 0 for a constant row."""
    squares = _row_sum(_weighted(centred * centred, weights), xp)
    one = xp.ones_like(squares)
    return xp.where(varies, one / xp.sqrt(xp.where(varies, squares, one)), one * 0)


def _row_sum(x: Array, xp: Any) -> Array:
    """Sum of each row as a tree, so that the error does not grow with its length."""
    rows, length = x.shape
    if length <= _SUM_LENGTH:
        return xp.sum(x, axis=1, keepdims=True)
    whole = length - length % _SUM_LENGTH
    parts = xp.reshape(x[:, :whole], (rows, whole // _SUM_LENGTH, _SUM_LENGTH))
    return _row_sum(xp.sum(parts, axis=2), xp) + xp.sum(x[:, whole:], axis=1, keepdims=True)
