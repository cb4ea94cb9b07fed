"""Rows of observations seen as layers of samples: row ``l * B + b`` is layer pair l, sample b."""

from collections.abc import Callable

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.layer_pairs import by_layer

# Two correlations that are equal differ by so much at most, after rounding: twice law 3.
ROUNDING = {"float32": 2e-6, "float64": 2e-9}


def in_each_layer(fn: Callable[[Array], Array], rows: Array, ops: Backend, layers: int) -> Array:
    """Call a function on the part of the rows that each layer is; put results side by side."""
    return ops.xp.concat([fn(part) for part in each_layer(rows, layers)], axis=1)


def each_layer(rows: Array, layers: int) -> list[Array]:
    """Cut rows into their layers, (rows, samples) each."""
    samples = rows.shape[1] // layers
    return [rows[:, start : start + samples] for start in range(0, rows.shape[1], samples)]


def within_layers(rows: Array, *, ops: Backend, layers: int) -> Array:
    """Take the mean of each layer away from each row."""
    parts = by_layer(rows, ops, layers)
    return ops.xp.reshape(parts - ops.xp.mean(parts, axis=2, keepdims=True), rows.shape)


def layer_products(rows: Array, *, ops: Backend, layers: int) -> Array:
    """Sum over samples the products of any two layers of a row: (rows, layers * layers)."""
    parts = by_layer(rows, ops, layers)
    products = ops.xp.matmul(parts, ops.xp.matrix_transpose(parts))
    return ops.xp.reshape(products, (rows.shape[0], layers * layers))


def permuted(rows: Array, order: Array, *, ops: Backend, layers: int) -> Array:
    """Take the samples in another order, the same one in every layer."""
    return ops.xp.reshape(ops.reordered(by_layer(rows, ops, layers), order), rows.shape)
