"""What EdgeEvidence is made of, checked, and given as it will be kept."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import __version__, _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges._validation import shown

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def check_matrix(name: str, x: Any) -> int:
    """Reject what is no square matrix of finite numbers; give its number of nodes."""
    _validation.array(name, x)
    _validation.ndim(name, x, 2, "(sources, targets)")
    if x.shape[0] != x.shape[1]:
        raise ValueError(
            f"{name} must be square, a row and a column for each node; got shape {tuple(x.shape)}"
        )
    _validation.finite(name, x)
    return int(x.shape[0])


def checked_names(names: Any, nodes: int) -> list[str] | None:
    """Give names as a list, if there are any: different strings, one for each node."""
    if names is None:
        return None
    given = list(names) if isinstance(names, Iterable) else [names]
    if isinstance(names, str) or not all(isinstance(name, str) for name in given):
        raise TypeError(
            f"node_names must be a sequence of strings; got {shown(names)}: map it to str first"
        )
    if len(given) != nodes:
        raise ValueError(
            f"node_names must be as many as W has nodes, {nodes}; got {len(given)}: name the "
            "function nodes only, in the order of W"
        )
    twice = [name for name, times in Counter(given).items() if times > 1]
    if twice:
        raise ValueError(
            f"node_names must be different; got {_validation.listing([repr(n) for n in twice])} "
            "more "
            "than once: number them"
        )
    return [str(name) for name in given]


def checked_counts(counts: Any) -> dict[str, int]:
    """Give counts as a dict of whole numbers."""
    if not isinstance(counts, Mapping):
        raise TypeError(
            f"counts must be a mapping of names to whole numbers; got {shown(counts)}: pass a dict "
            "such as {'samples': 500}"
        )
    return {
        str(name): _validation.whole_number(f"counts[{name!r}]", count, least=0)
        for name, count in counts.items()
    }


def as_json(name: str, facts: Any) -> dict[str, Any]:
    """Give a mapping as JSON would give it back, so that a saved one is equal."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(facts), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} must be a mapping of what JSON can hold, as numbers, strings and lists; got "
            f"{shown(facts)} ({error}): write the rest as strings"
        ) from None
    return copy


def installed_versions(W: Array) -> dict[str, str]:
    """Name the versions of this package and of the library of W."""
    library = backends.BACKENDS[backends.of(W).name][1]
    return {"gsnn-edges": __version__, library: version(library)}


def checked_known(edges: Any, nodes: int) -> Indices | None:
    """Give known edges, if there are any, as (2, E) int64 indices inside W."""
    return None if edges is None else _validation.edge_index("known_edges", edges, (nodes, nodes))


def checked_k(k: Any) -> int:
    """Give a number of pairs."""
    return _validation.whole_number("k", k, least=1)


def checked_threshold(threshold: Any) -> float:
    """Give a score that is a number."""
    try:
        number = float(threshold)
    except (TypeError, ValueError):
        raise TypeError(f"threshold must be a number; got {threshold!r}") from None
    if math.isnan(number):
        raise ValueError("threshold must be a number; got nan, which no score reaches")
    return number
