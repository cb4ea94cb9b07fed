"""Rows of mean 0 and length 1, so that a product of two of them is their correlation."""

from typing import Any

from gsnn_edges._typing import Array, Method, Ties
from gsnn_edges._validation import has_float64
from gsnn_edges.backends import Backend
from gsnn_edges.ranks import sorted_ranks, weighted_ranks

# Terms summed one after another: the error of a float32 sum grows with their number.
SUM_LENGTH = 64


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
    if method == "spearman":
        return standardize_ranks(x, ops=ops, ties=ties, dtype=dtype, shift=shift)
    return standardize_values(x, ops=ops, dtype=dtype, shift=shift)


def standardize_ranks(x: Array, *, ops: Backend, ties: Ties, dtype: str, shift: bool) -> Array:
    """Standardize the ranks of each row."""
    xp = ops.xp
    ranks, order, run_length, varies = sorted_ranks(x, ops=ops, ties=ties, dtype=dtype)
    centred = ranks - (x.shape[1] + 1) / 2
    scale = inverse_length(centred, varies, xp)
    if shift and ties == "average":
        commonest = xp.argmax(run_length, axis=1, keepdims=True)
        centred = centred - xp.take_along_axis(centred, commonest, axis=1)
    return ops.scatter_rows(order, centred * scale)


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
    weights = ops.xp.astype(weights, getattr(ops.xp, dtype), copy=False)
    if method == "spearman":
        rows = standardize_drawn_ranks(
            drawn, weights, ops=ops, dtype=dtype, shift=shift, length=length
        )
    else:
        rows = standardize_values(drawn, weights, ops=ops, dtype=dtype, shift=shift)
    return rows if shift else rows * weights


def standardize_drawn_ranks(
    keys: Array, weights: Array, *, ops: Backend, dtype: str, shift: bool, length: int
) -> Array:
    """Standardize the ranks of each row, some of which stand several times."""
    xp = ops.xp
    ranks, commonest = weighted_ranks(keys, weights, ops=ops, dtype=dtype, length=length)
    middle = (xp.sum(weights) + 1) / 2
    varies = xp.max(ranks, axis=1, keepdims=True) != xp.min(ranks, axis=1, keepdims=True)
    scale = inverse_length(ranks - middle, varies, xp, weights)
    return (ranks - (commonest if shift else middle)) * scale


def standardize_values(
    x: Array, weights: Array | None = None, *, ops: Backend, dtype: str, shift: bool
) -> Array:
    """Standardize the values of each row as they are, whatever their magnitude."""
    xp = ops.xp
    count = x.shape[1] if weights is None else xp.sum(weights)
    x = in_range(widened(x, xp, dtype), xp)
    varies = xp.max(x, axis=1, keepdims=True) != xp.min(x, axis=1, keepdims=True)
    # Centred twice: the mean of large values is rounded, and leaves a mean of its own.
    mean = row_sum(weighted(x, weights), xp) / count
    residue = row_sum(weighted(x - mean, weights), xp) / count
    centred = x - mean - residue
    largest = xp.max(xp.abs(centred), axis=1, keepdims=True)
    largest = xp.where(varies, largest, xp.ones_like(largest))
    scale = inverse_length(centred / largest, varies, xp, weights) / largest
    if shift:
        zeros = weighted(xp.astype(x == 0, x.dtype), weights)
        mostly_zero = row_sum(zeros, xp) > count / 2
        centred = centred - xp.where(mostly_zero, 0 - mean - residue, xp.zeros_like(mean))
    return xp.astype(centred * scale, getattr(xp, dtype))


def widened(x: Array, xp: Any, dtype: str) -> Array:
    """Take a narrow or integer dtype to the float that holds its values."""
    bits = xp.iinfo(x.dtype).bits if xp.isdtype(x.dtype, "integral") else 0
    wide = x.dtype == xp.float64 or dtype == "float64" or bits > 16
    wide = wide and has_float64(xp)
    if bits > (32 if wide else 16) and x.dtype != xp.uint64:
        return from_least(x, xp, wide=wide)
    return xp.astype(x, xp.float64 if wide else xp.float32, copy=False)


def from_least(x: Array, xp: Any, *, wide: bool) -> Array:
    """Whole numbers as floats; what a float would round, counted from the least of its row."""
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


def in_range(x: Array, xp: Any) -> Array:
    """Multiply rows of extreme values by a power of two, which no correlation sees.

    Sums and squares of what comes back neither overflow nor vanish.
    """
    half = 2.0 ** xp.finfo(x.dtype).bits
    largest = xp.max(xp.abs(x), axis=1, keepdims=True)
    one = xp.ones_like(largest)
    return x * xp.where(largest > half, one / half, xp.where(largest < 1 / half, one * half, one))


def weighted(x: Array, weights: Array | None) -> Array:
    """Each column as often as it stands: once, unless there are weights."""
    return x if weights is None else x * weights


def inverse_length(centred: Array, varies: Array, xp: Any, weights: Array | None = None) -> Array:
    """Give 1 over the Euclidean length of each row, and 0 for a constant row."""
    squares = row_sum(weighted(centred * centred, weights), xp)
    one = xp.ones_like(squares)
    return xp.where(varies, one / xp.sqrt(xp.where(varies, squares, one)), one * 0)


def row_sum(x: Array, xp: Any) -> Array:
    """Sum each row as a tree, so that the error does not grow with its length."""
    rows, length = x.shape
    if length <= SUM_LENGTH:
        return xp.sum(x, axis=1, keepdims=True)
    whole = length - length % SUM_LENGTH
    parts = xp.reshape(x[:, :whole], (rows, whole // SUM_LENGTH, SUM_LENGTH))
    return row_sum(xp.sum(parts, axis=2), xp) + xp.sum(x[:, whole:], axis=1, keepdims=True)
