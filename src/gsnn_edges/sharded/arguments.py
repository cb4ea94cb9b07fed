"""What the sharded correlation is given, checked."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Method, Precision, Ties
from gsnn_edges.options import METHODS, PRECISIONS, check_pair
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS, TIES
from gsnn_edges.sharded.placement import HostObservations, JaxObservations, Observations, cut


class Options(NamedTuple):
    """How two sides are correlated: ``dtype`` is that of ranks, products and result."""

    method: Method
    ties: Ties
    dtype: str
    row_chunk: int | None = None


def checked_options(
    a: Array, g: Array, method: Method, ties: Ties, precision: Precision, row_chunk: int | None
) -> Options:
    """Give the options, when all arguments keep their rules."""
    _validation.choice("method", method, METHODS)
    _validation.choice("ties", ties, TIES)
    _validation.choice("precision", precision, PRECISIONS)
    row_chunk = _validation.whole_number_or_none("row_chunk", row_chunk, least=1)
    check_pair(a, g)
    for name, x in (("a", a), ("g", g)):
        check_values(name, x)
    return Options(method, ties, rank_dtype(a.shape[0], precision), row_chunk)


def rank_dtype(count: int, precision: Precision) -> str:
    """Name the dtype that holds the ranks of so many observations; reject what JAX lacks."""
    if precision == "float64" or count >= FLOAT32_OBSERVATIONS:
        _validation.float64_there(jnp, "this correlation")
        return "float64"
    return "float32"


def check_values(name: str, x: Array) -> None:
    """Reject values that have no rank, would lose digits, or cannot be placed."""
    if isinstance(x, jax.core.Tracer):
        raise TypeError(
            f"{name} must not be traced: several devices are chosen outside jax.jit, and this "
            "function compiles by itself"
        )
    if _validation.dtype_name(x) in ("float64", "int64", "uint64"):
        _validation.float64_there(jnp, f"{name} of dtype {x.dtype}")
    if not isinstance(x, jax.Array) or x.is_fully_addressable:
        _validation.finite(name, x)


def observations(x: Array, members: np.ndarray) -> Observations:
    """Give an array of any library as a side of the correlation."""
    if isinstance(x, jax.Array):
        return JaxObservations(x, members)
    host = backends.of(x).to_numpy(x)

    def read(samples: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        return cut(host, samples, columns)

    return HostObservations(read, members, 1, int(host.shape[0]), host.dtype)
