"""Evidence as a pandas frame, a networkx graph and an HTML table."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.evidence.arguments import Indices
from gsnn_edges.evidence.top_pairs import ScoredEdge


def optional(module: str) -> Any:
    """Import a library of the extra "frames"."""
    return _validation.imported(module, f"this needs {module}", "frames")


def frame(
    cells: Indices,
    nodes: int,
    node_names: list[str] | None,
    columns: dict[str, NDArray[Any]],
) -> Any:
    """Make a frame with a row for each flat index, of ends and of the cells of each matrix.

    Names are categories: a row holds two small numbers, and each name is stored once.
    """
    pandas = optional("pandas")
    ends: list[Any] = [*np.divmod(cells, max(nodes, 1))]
    if node_names is not None:
        # pandas keeps codes in the smallest integer that will do, and would convert int64 ones.
        codes = np.min_scalar_type(-max(nodes, 1))
        dtype = pandas.CategoricalDtype(node_names)
        ends = [pandas.Categorical.from_codes(end.astype(codes), dtype=dtype) for end in ends]
    values = {name: matrix.reshape(-1)[cells] for name, matrix in columns.items()}
    return pandas.DataFrame({"source": ends[0], "target": ends[1], **values}, copy=False)


def graph(edges: Iterable[ScoredEdge], node_names: Iterable[Any]) -> Any:
    """Make a directed graph of all nodes, with the score of each edge as its weight."""
    found = optional("networkx").DiGraph()
    found.add_nodes_from(node_names)
    for edge in edges:
        found.add_edge(*label(edge), weight=edge.score)
    return found


def label(edge: ScoredEdge) -> tuple[Any, Any]:
    """Give the names of an edge's ends, or their indices where there are no names."""
    if edge.source_name is None:
        return edge.source, edge.target
    return edge.source_name, edge.target_name


def html_table(caption: str, edges: Iterable[ScoredEdge]) -> str:
    """Write edges as an HTML table, names escaped."""
    head = "".join(f"<th>{name}</th>" for name in ("rank", "source", "target", "score"))
    rows = "".join(
        f"<tr><td>{edge.rank}</td><td>{escape(str(source))}</td><td>{escape(str(target))}</td>"
        f"<td>{edge.score:.3f}</td></tr>"
        for edge in edges
        for source, target in [label(edge)]
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{rows}</table>"
