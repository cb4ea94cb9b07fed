"""The limits of the processor, and the peers.

No correlation of ranks can be had for less than one matrix product and one sort of the keys. Both
are taken on matrices that are ready, in the layout that suits them best.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.backends.numpy_backend import run_threads
from gsnn_edges.bench.data import Floats
from gsnn_edges.bench.measure import Contestant

# Keys that are sorted at a time: they stay in the cache of a core.
SORT_BLOCK = 1 << 17


def products(a: Floats, g: Floats, libraries: Mapping[str, Backend]) -> dict[str, Contestant]:
    """Give the product ``a.T @ g`` by every library and layout, in full float32.

    Parameters
    ----------
    a, g : arrays of shape (M, Na) and (M, Ng)
    libraries : mapping of name to backend
        As from `installed`.
    """
    rows = [np.ascontiguousarray(x.T) for x in (a, g)]
    found = {}
    if "numpy" in libraries:
        found["NumPy A @ B.T"] = Contestant(partial(_product_of_rows, *rows))
    if "torch" in libraries:
        torch = libraries["torch"]
        tensors = [torch.adopt(x) for x in rows]
        found["torch A @ B.T"] = Contestant(partial(_product_of_rows, *tensors))
        # On a CPU that of oneDNN, for which torch has no public name.
        found["our route in torch"] = Contestant(partial(torch.matmul, *tensors))
    if "jax" in libraries:
        adopt, product = libraries["jax"].adopt, jax_product()
        found["JAX a.T @ g"] = Contestant(partial(product, adopt(a), adopt(g), dimension=0))
        found["JAX A @ B.T"] = Contestant(partial(product, *map(adopt, rows), dimension=1))
    return found


def key_sort(a: Floats, g: Floats, device: str) -> Contestant:
    """Sort the columns of both matrices, which is the least that ranking them takes.

    On a CPU ``np.sort`` in place on ready rows, in blocks of 2**17 keys over all allowed threads;
    on another device ``torch.sort``.
    """
    keys = [np.ascontiguousarray(x.T) for x in (a, g)]
    if device != "cpu":
        return Contestant(device_sort(keys, device))
    rows = [np.empty_like(x) for x in keys]
    return Contestant(partial(_sort_all, rows), before=partial(_copy_all, keys, rows))


def device_sort(keys: list[Floats], device: str) -> Callable[[], Array]:
    """Sort ready rows by torch, on a device."""
    import torch

    rows = [torch.from_numpy(x).to(device) for x in keys]
    return lambda: tuple(torch.sort(x, dim=1).values for x in rows)


def scipy_spearman(a: Floats, g: Floats) -> np.ndarray:
    """Correlate the columns of ``a`` with those of ``g`` by way of ``scipy.stats.spearmanr``."""
    from scipy.stats import spearmanr

    square: np.ndarray = spearmanr(a, g).statistic
    return square[: a.shape[1], a.shape[1] :]


def pandas_spearman(a: Floats, g: Floats) -> np.ndarray:
    """Correlate the columns of ``a`` with those of ``g`` by way of ``DataFrame.corr``."""
    from pandas import DataFrame

    square: np.ndarray = DataFrame(np.hstack([a, g])).corr(method="spearman").to_numpy()
    return square[: a.shape[1], a.shape[1] :]


def _product_of_rows(a: Array, b: Array) -> Array:
    return a @ b.T


def jax_product() -> Any:
    """Compile a product over the first or the second dimension of both."""
    import jax

    def product(a: Array, b: Array, dimension: int) -> Array:
        shared = (((dimension,), (dimension,)), ((), ()))
        return jax.lax.dot_general(a, b, shared, precision=jax.lax.Precision.HIGHEST)

    return jax.jit(product, static_argnames="dimension")


def _sort_all(matrices: list[Floats]) -> None:
    for rows in matrices:
        height = max(1, SORT_BLOCK // rows.shape[1])
        run_threads(partial(_sort_block, rows, height), range(0, len(rows), height))


def _sort_block(rows: Floats, height: int, top: int) -> None:
    rows[top : top + height].sort(axis=1)


def _copy_all(sources: list[Floats], targets: list[Floats]) -> None:
    for source, target in zip(sources, targets, strict=True):
        np.copyto(target, source)
