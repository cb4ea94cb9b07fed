"""Runs of equal values, and sums by key, in nothing but the Array API standard."""

from typing import Any

from gsnn_edges._typing import Array


def first_of_runs(keys: Array, xp: Any) -> Array:
    """Mark where runs of equal keys begin in each row, (rows, length)."""
    return xp.concat([keys[:, :1] == keys[:, :1], keys[:, 1:] != keys[:, :-1]], axis=1)


def run_bounds(keys: Array, xp: Any, device: Any) -> tuple[Array, Array]:
    """Find the runs of equal keys in each row, (rows, length): `Backend.run_bounds`."""
    first, length = first_of_runs(keys, xp), keys.shape[1]
    position = xp.arange(length, device=device)[None, :]
    starts = xp.sort(xp.where(first, position, length), axis=1)
    end = xp.full((first.shape[0], 1), length, dtype=starts.dtype, device=device)
    bounds = xp.concat([starts, end], axis=1)
    run = xp.cumulative_sum(xp.astype(first, starts.dtype), axis=1) - 1
    return (
        xp.take_along_axis(bounds, run, axis=1),
        xp.take_along_axis(bounds, run + 1, axis=1),
    )


def sum_by_key(keys: Array, weights: Array, length: int, xp: Any, device: Any) -> Array:
    """Add up the weights of each key in [0, length): `Backend.sum_by_key`."""
    rows = keys.shape[0]
    row = xp.arange(rows, device=device)[:, None]
    flat = xp.reshape(xp.astype(keys, row.dtype) + row * length, (-1,))
    order = xp.argsort(flat)
    weight = xp.reshape(xp.broadcast_to(weights, keys.shape), (-1,))
    sorted_weights = xp.take(weight, order)
    upto = xp.cumulative_sum(sorted_weights, dtype=weights.dtype, include_initial=True)
    edges = xp.arange(rows * length + 1, device=device)
    place = xp.searchsorted(xp.take(flat, order), edges)
    sums = xp.take(upto, place[1:]) - xp.take(upto, place[:-1])
    return xp.reshape(sums, (rows, length))
