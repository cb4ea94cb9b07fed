"""Argument checks: the one home of error sentences.

Every message names the argument, the rule, what came, and the way out.
"""

import itertools
import math
import operator
import sys
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

import array_api_compat as compat
import numpy as np

from gsnn_edges._typing import Array

FLOATS = ("float16", "bfloat16", "float32", "float64")
# Of two samples every correlation is 1, -1 or 0.
LEAST_SAMPLES = 3
# Decorates what computes: numbers that are too small become 0, whatever numpy.seterr says.
underflow_is_zero = np.errstate(under="ignore")
REAL_DTYPES = {*FLOATS, *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


class NonFiniteError(ValueError):
    """NaN or infinity where numbers are compared."""


def choice(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Reject a value that is not one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} must be one of {options}; got {shown(value)}")


def shown(value: Any) -> str:
    """Write a value in a line, a long one by its beginning."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def flag(name: str, value: Any) -> bool:
    """Reject what is neither true nor false: a text such as "no" would count as true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def whole_number(name: str, value: Any, *, least: int, hint: str = "") -> int:
    """``value`` as an int of at least ``least``; bools and fractions are refused."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(
            f"{name} must be a whole number; got {shown(value)} ({type(value).__name__})"
        )
    if number < least:
        raise ValueError(f"{name} must be at least {least}; got {number}{hint}")
    return number


def samples(name: str, count: Any, *, least: int = LEAST_SAMPLES) -> int:
    """Number of samples as an int of at least ``least``."""
    hint = ": any two columns of so few go together, by 1 or -1 or not at all; take more"
    return whole_number(name, count, least=least, hint=hint)


def whole_number_or_none(name: str, value: Any, *, least: int) -> int | None:
    """`whole_number` of an argument that may be left out."""
    return None if value is None else whole_number(name, value, least=least)


def imported(module: str, need: str, extra: str | None = None) -> Any:
    """Import a module that an extra brings, or nothing of ours, or say what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        way = f"in a clone, pip install '.[{extra}]'"
        if extra is None:
            way = f"pip install {module.partition('.')[0]}"
        raise ImportError(f"{need}, which is not installed: {way}") from error


def array(name: str, x: Any) -> None:
    """Reject what is not an array of numbers that can be ranked."""
    if not compat.is_array_api_obj(x):
        raise TypeError(
            f"{name} must be an array (NumPy, torch, JAX or another of the Array API); "
            f"got {type(x).__name__}: {way_to_array(x)}"
        )
    if np.ma.is_masked(x):
        raise TypeError(
            f"{name} must have a value everywhere; got a masked array, and the values behind its "
            "mask would count: drop or impute them first"
        )
    if is_sparse(x):
        raise TypeError(f"{name} must be dense; got {x.layout}: call its to_dense() first")
    # NumPy has no bfloat16 of its own, and cannot compute with one that a package lends it.
    foreign = compat.is_numpy_array(x) and x.dtype.kind == "V"
    if dtype_name(x) not in REAL_DTYPES or foreign:
        raise TypeError(
            f"{name} must hold real numbers; got dtype {x.dtype}: cast it to float32 first"
        )


def way_to_array(x: Any) -> str:
    """Say how an array is made of what is none."""
    if hasattr(x, "W"):
        return "pass the W that it holds"
    if hasattr(x, "toarray"):
        return "call its toarray() first"
    return "convert it first, for example by numpy.asarray"


def is_sparse(x: Any) -> bool:
    """Whether a torch tensor is stored without its zeros."""
    return compat.is_torch_array(x) and not str(x.layout).endswith("strided")


def dtype_name(x: Array) -> str:
    """Name a dtype as all libraries do: torch and the strict namespace put theirs before it."""
    return str(x.dtype).rpartition(".")[-1]


def ndim(name: str, x: Array, dimensions: int, meaning: str) -> None:
    """Reject an array of another number of dimensions."""
    if x.ndim != dimensions:
        raise ValueError(
            f"{name} must have {dimensions} dimensions {meaning}; got shape {tuple(x.shape)}"
        )


def square(name: str, x: Array) -> int:
    """Reject what is no square matrix of real numbers; its number of nodes."""
    array(name, x)
    ndim(name, x, 2, "(sources, targets)")
    if x.shape[0] != x.shape[1]:
        raise ValueError(
            f"{name} must be square, a row and a column for each node; got shape {tuple(x.shape)}"
        )
    return int(x.shape[0])


def finite(name: str, x: Array, *, axis_meaning: str = "column") -> None:
    """Reject NaN and infinity, saying how many there are and in which columns."""
    xp = compat.array_namespace(x)
    x = x.detach() if compat.is_torch_array(x) else x
    if not xp.isdtype(x.dtype, "real floating") or 0 in x.shape:
        return
    # One pass without a mask in the usual case: a sum is finite only if every term is.
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(float(xp.sum(x))):
            return
    bad = ~xp.isfinite(x)
    count = int(xp.count_nonzero(bad))
    if count:
        where = np.flatnonzero(as_numpy(xp.any(bad, axis=0)))
        raise NonFiniteError(
            f"{name} must be finite; got {count} NaN or infinite values in {axis_meaning} "
            f"{listing(where)}: drop or impute them first"
        )


def exact_as_float(name: str, x: Array) -> None:
    """Reject whole numbers that the library's widest float would round, and so make equal."""
    xp = compat.array_namespace(x)
    if not xp.isdtype(x.dtype, "integral") or 0 in x.shape:
        return
    bits = 53 if has_float64(xp) else 24
    # torch finds no least and largest of unsigned numbers.
    least, most = (
        (as_numpy(x).min(), as_numpy(x).max())
        if compat.is_torch_array(x)
        else (xp.min(x), xp.max(x))
    )
    largest = max(abs(int(least)), abs(int(most)))
    if largest > 1 << bits:
        raise ValueError(
            f"{name} must hold whole numbers of at most 2**{bits}, which floats of {xp.__name__} "
            f"hold exactly; got {largest}: rank the scores first, or pass floats"
        )


def listing(indices: Any, most: int = 10) -> str:
    """Write the first few indices, and how many there are where they are more."""
    shown = ", ".join(str(index) for index in indices[:most])
    return shown if len(indices) <= most else f"{shown}, ... ({len(indices)} in all)"


def listings(wrong: Mapping[str, Collection[Any]]) -> str:
    """`listing` of each kind of what is wrong, where there is any."""
    return "; ".join(f"{what}: {listing([*some], 5)}" for what, some in wrong.items() if some)


def edge_index(name: str, value: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Edges (tensor, array or list) as a (2, E) int64 array with indices inside ``shape``."""
    if isinstance(value, Mapping):
        raise TypeError(
            f"{name} must be the edges of one kind, as an array of shape (2, E); got a "
            f"{type(value).__name__}: take the entry for edges between function nodes"
        )
    if hasattr(value, "edge_index_dict"):  # HeteroData of torch-geometric
        value = _edges_within_a_type(name, value.edge_index_dict)
    edges = host_array(name, value)
    if edges.size == 0:
        edges = edges.reshape(2, 0).astype(np.int64)
    if edges.ndim != 2 or edges.shape[0] != 2:
        raise ValueError(
            f"{name} must have shape (2, E), sources above targets; got {edges.shape}"
            f"{way_to_edges(edges)}"
        )
    if edges.dtype.kind not in "iu":
        way = "cast to int64" if edges.dtype.kind in "fb" else "map node names to indices"
        raise TypeError(f"{name} must hold whole numbers; got dtype {edges.dtype}: {way}")
    if (edges < 0).any():
        raise ValueError(
            f"{name} must hold node indices, counted from 0; got {listing(edges[edges < 0])}"
        )
    for role, indices, nodes in zip(("sources", "targets"), edges, shape or (), strict=False):
        outside = indices[indices >= nodes]
        if outside.size:
            raise ValueError(
                f"{name} must hold {role} in 0 .. {nodes - 1}, the nodes that there are; got "
                f"{listing(outside)}: map node names to indices of the same matrix"
            )
    return edges.astype(np.int64, copy=False)


def _edges_within_a_type(name: str, edge_index_dict: Mapping[Any, Any]) -> Any:
    """The edges of the one type that joins nodes of a type with each other."""
    within = [kind for kind in edge_index_dict if kind[0] == kind[-1]]
    if len(within) != 1:
        raise ValueError(
            f"{name} must have one type of edges between nodes of the same type; got "
            f"{listing([*edge_index_dict])}: pass the edge_index of one type"
        )
    return edge_index_dict[within[0]]


def way_to_edges(edges: np.ndarray) -> str:
    """Say how an edge index is made of an array of another shape, where that can be guessed."""
    if edges.ndim == 2 and edges.shape[1] == 2:
        return ": transpose it"
    if edges.ndim == 2 and edges.shape[0] == edges.shape[1]:
        return ": if it is an adjacency matrix, numpy.nonzero gives its edges"
    return ""


def node_names(names: Any, count: int, *, name: str = "node_names") -> list[str] | None:
    """Names of ``count`` nodes as a list of different strings; None stays None."""
    if names is None:
        return None
    if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
        raise TypeError(
            f"{name} must be a sequence of strings; got {shown(names)}: list the names of the "
            "nodes in their order"
        )
    listed = list(names)
    for one in listed:
        if not isinstance(one, str):
            raise TypeError(f"{name} must be strings; got {shown(one)}: map it to str first")
    if len(listed) != count:
        raise ValueError(
            f"{name} must name each of the {count} nodes, in their order; got {len(listed)} names"
        )
    twice = [repr(one) for one, times in Counter(listed).items() if times > 1]
    if twice:
        raise ValueError(
            f"{name} must be different; got {listing(twice)} more than once: number them"
        )
    return [str(one) for one in listed]


def node_indices(name: str, value: Any, columns: int) -> np.ndarray:
    """Node of each column as int64."""
    nodes = host_array(name, value)
    if nodes.shape != (columns,) or nodes.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must give a whole number for each of the {columns} columns; got "
            f"{nodes.dtype} of shape {nodes.shape}"
        )
    if (nodes < 0).any():
        raise ValueError(
            f"{name} must hold node indices, counted from 0; got {listing(nodes[nodes < 0])}"
        )
    return nodes.astype(np.int64, copy=False)


def host_array(
    name: str, value: Any, wanted: str = "an array, or lists of equal length"
) -> np.ndarray:
    """`as_numpy` of an argument; rejects what no array with an axis can be made of."""
    wanted = f"{name} must be {wanted}"
    try:
        found = as_numpy(value)
    except (TypeError, ValueError, RuntimeError) as error:
        way = "call its to_dense() first" if is_sparse(value) else "give each row as many values"
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{wanted}; got {shown(value)}: {way}") from error
    if found.ndim == 0:
        raise TypeError(f"{wanted}; got {shown(value)}: make a list or an array of it first")
    return found


def as_numpy(value: Any) -> np.ndarray:
    """Host copy or view of a small array-like, whatever library it is of."""
    if compat.is_torch_array(value):
        value = value.numpy(force=True)
    return value.get() if compat.is_cupy_array(value) else np.asarray(value)


def axis(name: str, value: Any, dimensions: int) -> int:
    """Axis counted from 0."""
    number = whole_number(name, value, least=-dimensions)
    if not -dimensions <= number < dimensions:
        raise ValueError(
            f"{name} must lie in {-dimensions} .. {dimensions - 1} for an array of "
            f"{dimensions} dimensions; got {number}"
        )
    return number % dimensions


def float64_there(xp: Any, need: str) -> None:
    """Reject a need for float64 where the library has none."""
    if not has_float64(xp):
        raise ValueError(
            f"{need} must be computed in float64, which {xp.__name__} has not switched on: "
            "set jax_enable_x64, cast to float32, or use another backend"
        )


def has_float64(xp: Any) -> bool:
    """Whether the library has float64 now; JAX without x64 has not."""
    return "float64" in xp.__array_namespace_info__().dtypes(kind="real floating")


def fraction(name: str, value: Any) -> float:
    """A number in [0, 1)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number in [0, 1); got {value!r}") from None
    if not 0 <= number < 1:
        way = ": give a share, not percent" if 1 < number <= 100 else ""
        raise ValueError(f"{name} must lie in [0, 1), 0 for none; got {number}{way}")
    return number


def level(name: str, value: Any) -> float:
    """Level of an interval, a number in (0, 1)."""
    number = fraction(name, value)
    if number == 0:
        raise ValueError(f"{name} must be above 0; got 0: 0.95 is usual")
    return number


def warn(text: str) -> None:
    """Warn, and point at the line outside this package that the call came from."""
    # NumPy's frames are those of a decorator, contextlib's those of a context that ends.
    within = (__name__.partition(".")[0], "numpy", "contextlib")
    for depth in itertools.count(1):
        frame = sys._getframe(depth)
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in within or frame.f_back is None:
            warnings.warn(text, UserWarning, stacklevel=depth + 1)
            return
