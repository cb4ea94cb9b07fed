"""What the sharded correlation is given, checked."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Method, Precision, Ties
from gsnn_edges.options import CorrelationOptions, check_pair
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS
from gsnn_edges.sharded.placement import HostObservations, JaxObservations, Observations, cut


class Options(NamedTuple):
    """How two sides are correlated: ``dtype`` is that of ranks, products and result."""

    method: Method
    ties: Ties
    dtype: str
    row_chunk: int | None = None


def checked_options(a: Array, g: Array, options: CorrelationOptions) -> Options:
    """Give the options, when the arrays keep their rules."""
    method, ties, precision = options.method, options.ties, options.precision
    check_pair(a, g)
    for name, x in (("a", a), ("g", g)):
        check_values(name, x)
    return Options(method, ties, rank_dtype(a.shape[0], precision), options.row_chunk)


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
