"""Ranks with ties, written once for every backend."""

import math
from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Ties
from gsnn_edges.options import TIES

# From here on, ranks of whole and half numbers no longer fit the 24 bits of float32.
FLOAT32_OBSERVATIONS = 1 << 23


def rankdata(x: Array, *, axis: int = 0, ties: Ties = "average") -> Array:
    """Rank the values along an axis, beginning at 1.

    Parameters
    ----------
    x : array of real numbers, any shape
        NumPy, torch, JAX or another Array API array, on any device.
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
    ops = backends.of(x)
    _validation.choice("ties", ties, TIES)
    axis = _validation.axis("axis", axis, x.ndim)
    if ops.concrete(x):
        _validation.finite("x", x)
    dtype = rank_dtype(ops.xp, x.dtype, x.shape[axis])
    moved = ops.xp.moveaxis(x, axis, -1)
    count = math.prod(moved.shape[:-1])
    rows = ops.xp.reshape(moved, (count, x.shape[axis]))
    ranks = on_ranker(rank_rows, rows, ops, dtype, ties=ties)
    return ops.xp.moveaxis(ops.xp.reshape(ranks, moved.shape), -1, axis)


def rank_dtype(xp: Any, dtype: Any, observations: int) -> str:
    """Name the dtype that holds the ranks of so many observations exactly."""
    if observations < FLOAT32_OBSERVATIONS and dtype != xp.float64:
        return "float32"
    _validation.float64_there(xp, f"{observations} observations")
    return "float64"


def correlation_dtype(xp: Any, precision: str, observations: int) -> str:
    """Name the dtype of the ranks, products and result of a correlation."""
    if precision == "float32" and observations < FLOAT32_OBSERVATIONS:
        return precision
    _validation.float64_there(xp, "this correlation")
    return "float64"


def on_ranker(
    fn: Any, rows: Array, ops: backends.Backend, dtype: str, *shared: Array, **options: Any
) -> Array:
    """Map ``fn`` over rows of any library where ``ops`` ranks fastest; ``ops`` gets the result.

    ``shared`` arrays lie there already.
    """
    engine = ops.ranker()
    mapped = engine.map_rows(fn, backends.move(rows, engine), dtype, *shared, **options)
    return mapped if engine is ops else ops.take_over(mapped)


def rank_rows(x: Array, *, ops: backends.Backend, ties: Ties, dtype: str) -> Array:
    """Ranks of each row, each in the place of its value."""
    ranks, order, _, _ = sorted_ranks(x, ops=ops, ties=ties, dtype=dtype)
    return ops.scatter_rows(order, ranks)


def key_rows(x: Array, *, ops: backends.Backend, dtype: str, rank_dtype: str) -> Array:
    """Whole numbers in [0, length) that compare as the values of their row do.

    Average ranks rounded down: those of two neighbouring runs of equal values lie at least 1
    apart, so that they stay apart.
    """
    ranks = rank_rows(x, ops=ops, ties="average", dtype=rank_dtype)
    return ops.xp.astype(ranks, getattr(ops.xp, dtype)) - 1


def weighted_ranks(
    keys: Array, weights: Array, *, ops: backends.Backend, dtype: str, length: int
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


def sorted_ranks(
    x: Array, *, ops: backends.Backend, ties: Ties, dtype: str
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
