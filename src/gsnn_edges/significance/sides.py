"""Sources and targets of a test: standardized rows of all layers, ranked together or apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import backends
from gsnn_edges._typing import Array, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.channels import NodeColumns, node_tables
from gsnn_edges.correlation import Columns, both_sides
from gsnn_edges.significance.layers import in_each_layer


@dataclass(frozen=True)
class LayerColumns(Columns):
    """Columns whose layers are standardized one by one, and stand side by side in a row."""

    layers: int

    def standardized(self, columns: Array) -> Array:
        """Standardized rows, each layer of them by itself."""
        shape = (columns.shape[0] * self.layers, columns.shape[1] // self.layers)
        rows = super().standardized(backends.of(columns).xp.reshape(columns, shape))
        return self.ops.xp.reshape(rows, columns.shape)


@dataclass(frozen=True)
class LayerNodeColumns(LayerColumns, NodeColumns):
    """The same of nodes with several columns, whose directions are those of each layer."""

    def projected(self, rows: Array) -> Array:
        """Leading directions of each node, layer by layer."""
        return in_each_layer(super().projected, rows, self.ops, self.layers)


def two_sides(
    a: Array,
    g: Array,
    tables: tuple[np.ndarray, np.ndarray] | None,
    ops: Backend,
    method: Method,
    precision: Precision,
    *,
    directions: int | None,
    apart: int | None,
) -> tuple[Columns, Columns]:
    """Give sources and targets; targets are shifted, which keeps the digits of their products.

    ``apart`` is the number of layers that are standardized one by one, or None. Directions are
    those of centred rows, which a shift does not leave.
    """
    usual = (ops, method, "average", precision)
    if tables is None:
        if apart is None:
            return both_sides(a, g, *usual)
        return LayerColumns(a, *usual, False, apart), LayerColumns(g, *usual, True, apart)
    kind: Any = NodeColumns if apart is None else LayerNodeColumns
    more: dict[str, Any] = {} if apart is None else {"layers": apart}
    return (
        kind(a, *usual, False, members=tables[0], directions=directions, **more),
        kind(g, *usual, directions is None, members=tables[1], directions=directions, **more),
    )


def checked_tables(
    a: Array, g: Array, a_nodes: Any, g_nodes: Any, nodes: int | None, directions: int | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the columns of each node on both sides, or None where each column is a node."""
    if a_nodes is not None and g_nodes is not None:
        return node_tables(a, g, a_nodes, g_nodes, nodes)
    if directions is not None:
        raise ValueError(
            f"directions={directions} needs a_nodes and g_nodes, the node of each column; without "
            "them each column is a node: leave directions out"
        )
    if a_nodes is None and g_nodes is None and nodes is None:
        return None
    missing = "a_nodes" if a_nodes is None else "g_nodes"
    raise ValueError(
        f"a_nodes and g_nodes must be given together; got {missing}=None: name the node of each "
        "column of both arrays"
    )
