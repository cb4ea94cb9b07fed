"""Pairs of nodes as a pandas frame."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gsnn_edges import _validation


def pair_frame(
    sources: np.ndarray,
    targets: np.ndarray,
    scores: np.ndarray,
    node_names: Sequence[str] | None,
    nodes: int | None,
) -> Any:
    """Make a frame with a row for each pair: "source", "target", "score".

    Names are categories: a row holds two small numbers, and each name is stored once.
    """
    pandas = _validation.imported("pandas", "to_frame needs pandas", "frames")
    ends: list[Any] = [sources, targets]
    if node_names is not None:
        names = checked_names(node_names, sources, targets, nodes)
        ends = [pandas.Categorical.from_codes(end, categories=names) for end in ends]
    return pandas.DataFrame({"source": ends[0], "target": ends[1], "score": scores})


def checked_names(
    node_names: Sequence[str], sources: np.ndarray, targets: np.ndarray, nodes: int | None
) -> list[str]:
    """Give a name for each node, no two alike."""
    names = list(node_names)
    least = 1 + max((int(end.max()) for end in (sources, targets) if end.size), default=-1)
    if len(names) < least or (nodes is not None and len(names) != nodes):
        raise ValueError(
            f"node_names must name each of the {nodes or least} nodes, in their order; got "
            f"{len(names)}"
        )
    if len(set(names)) < len(names):
        raise ValueError(
            f"node_names must differ from each other; got {len(names) - len(set(names))} twice: "
            "leave them out to get numbers"
        )
    return names
