"""Sources and targets of a test: standardized rows of all layers, ranked together or apart."""

from typing import Any, NamedTuple

import numpy as np

from gsnn_edges._typing import Array, Score
from gsnn_edges.channels import node_tables
from gsnn_edges.layer_pairs import LayerChoice, checked_layers, checked_pairs, chosen_pairs


class Taken(NamedTuple):
    """The rows that W is of.

    ``pairs`` is the number of layer pairs in all, ``choice`` those that are taken, and ``apart``
    the number that are standardized one by one, or None where they are pooled.
    """

    a: Array
    g: Array
    pairs: int
    choice: str | int
    apart: int | None


def taken(a: Array, g: Array, samples: int, layers: LayerChoice, score: Score) -> Taken:
    """Give the rows of the layer pairs that a score takes, or else is asked to take."""
    pairs = checked_pairs(a, g, samples)
    choice = checked_layers(layers, score, pairs)
    if choice in ("pooled", "mean"):
        return Taken(a, g, pairs, choice, pairs if choice == "mean" else None)
    ((a, g),) = chosen_pairs(a, g, samples, choice)
    return Taken(a, g, pairs, choice, 1)


def score_of(a_nodes: Any, g_nodes: Any) -> Score:
    """Name the score: nodes that are given have channels."""
    return "magnitude" if a_nodes is None and g_nodes is None else "channels"


def checked_tables(
    a: Array, g: Array, a_nodes: Any, g_nodes: Any, nodes: int | None, n_components: int | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the columns of each node on both sides, or None where each column is a node."""
    if a_nodes is not None and g_nodes is not None:
        return node_tables(a, g, a_nodes, g_nodes, nodes)
    if n_components is not None:
        raise ValueError(
            f"n_components={n_components} needs a_nodes and g_nodes, the node of each column; "
            "without them each column is a node: leave n_components out"
        )
    if a_nodes is None and g_nodes is None and nodes is None:
        return None
    missing = "a_nodes" if a_nodes is None else "g_nodes"
    raise ValueError(
        f"a_nodes and g_nodes must be given together; got {missing}=None: name the node of each "
        "column of both arrays"
    )
