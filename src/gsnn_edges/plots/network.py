"""The network of the strongest new edges beside the known ones around them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.plots.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    WIDTH,
    drawing,
    legend_above,
    node_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pair = tuple[int, int]

_TEXT = 7  # points
_NODE = 11.0  # diameter of a node that holds a number or a short name, in points
_SHORT = 3  # characters that fit in a node
_FAR = 5  # steps between nodes that no path joins
_CHARACTERS = 70  # of a line of the key
_LINE = 0.14  # inches
_WIDTHS = (0.7, 2.6)  # of the weakest and the strongest new edge, in points
_LOOKS: dict[str, dict[str, Any]] = {
    "known": {"edge_color": GREY, "style": "solid"},
    "new": {"edge_color": VERMILION, "style": "dashed"},
    "new and held out": {"edge_color": BLUE, "style": "solid"},
}


def edge_network(
    evidence: EdgeEvidence,
    top: int = 20,
    *,
    held_out: Any = None,
    candidates: Any = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the strongest pairs that are not known, and the known edges between their nodes.

    Parameters
    ----------
    evidence : EdgeEvidence
        Its ``known_edges`` are what new ones are drawn beside.
    top : int
        How many new edges, self-edges and known ones left out.
    held_out : array-like of whole numbers, shape (2, E), optional
        Edges that are true: new ones among them are drawn in blue, the others dashed in red.
    candidates : optional
        The pairs that may be drawn as new, as for `EdgeEvidence.top`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Arrows run from source to target, those of new edges as wide as their score is large,
        with their rank beside them. Names of more than three characters stand in a key below, by
        the number in their node. Each arrow is one patch, whose gid is its kind and its edge, as
        "new 3 -> 7", which SVG files keep. The same evidence gives the same picture.

    Raises
    ------
    ImportError
        Without matplotlib or networkx: the extra "plots".
    TypeError, ValueError
        For something else than evidence, edges outside of it, or no pair to draw.

    Examples
    --------
    >>> import numpy as np
    >>> from gsnn_edges import EdgeEvidence
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.8], [0.3, 0.1, 0.0]])
    >>> evidence = EdgeEvidence(W, ["a", "b", "c"], known_edges=[[1], [0]])
    >>> ax = edge_network(evidence, top=2, ax=blank_axes())
    >>> [arrow.get_gid() for arrow in ax.patches]
    ['known b -> a', 'new a -> b', 'new b -> c']
    """
    nx = _validation.imported("networkx", "the network needs networkx", "plots")
    if not isinstance(evidence, EdgeEvidence):
        raise TypeError(
            f"evidence must be an EdgeEvidence; got {type(evidence).__name__}: make "
            "EdgeEvidence(W, known_edges=...) of a matrix first"
        )
    strongest = evidence.top(top, candidates=candidates)
    if not strongest:
        raise ValueError("evidence must have a pair that is not known; got none to draw")
    new = {(edge.source, edge.target): edge for edge in strongest}
    kinds = _edges_by_kind(evidence, list(new), held_out)
    # In a fixed order: the layout depends on it.
    graph = nx.DiGraph()
    graph.add_nodes_from(
        sorted({node for pairs in kinds.values() for pair in pairs for node in pair})
    )
    graph.add_edges_from(sorted(pair for pairs in kinds.values() for pair in pairs))
    names = {node: node_labels(evidence)[node] for node in graph}
    labels = names
    if max(map(len, names.values())) > _SHORT:
        labels = {node: str(number) for number, node in enumerate(graph, 1)}
    scores = [edge.score for edge in strongest]
    ends = [scores[-1], scores[0] if scores[0] > scores[-1] else scores[-1] + 1]
    widths = dict.fromkeys(graph.edges, _WIDTHS[0])
    widths.update(zip(new, np.interp(scores, ends, _WIDTHS), strict=True))
    places = _layout(nx, graph.to_undirected())
    bend = "arc3,rad=0.12"  # so that i -> j and j -> i are two lines
    size: dict[str, Any] = {"node_size": _NODE**2}
    key = [] if labels is names else _key([f"{labels[node]}  {names[node]}" for node in graph])
    height = WIDTH + _LINE * max([column.count("\n") + 2 for column in key], default=0)
    with drawing(ax, height=height, fitted=True) as axes:
        for kind, pairs in kinds.items():
            look: dict[str, Any] = {**_LOOKS[kind], **size, "connectionstyle": bend}
            width = [widths[pair] for pair in pairs]
            arrows = nx.draw_networkx_edges(
                graph, places, pairs, width, ax=axes, arrowsize=7, arrowstyle="-|>", **look
            )
            for arrow, (source, target) in zip(arrows, pairs, strict=True):
                arrow.set_gid(f"{kind} {names[source]} -> {names[target]}")
            axes.plot([], [], color=look["edge_color"], linestyle=look["style"], label=kind)
        nx.draw_networkx_nodes(graph, places, ax=axes, node_color="white", edgecolors=BLACK, **size)
        nx.draw_networkx_labels(graph, places, labels, font_size=_TEXT, ax=axes)
        ranks = {pair: str(edge.rank) for pair, edge in new.items()}
        text: dict[str, Any] = {"font_size": _TEXT, "rotate": False, "connectionstyle": bend}
        text["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3}
        nx.draw_networkx_edge_labels(graph, places, ranks, 0.6, ax=axes, **size, **text)
        axes.set_axis_off()
        legend_above(axes, ncols=3)
        for place, column in enumerate(key):
            corner, below = (place / len(key), 0), (0, -4)
            frame: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
            axes.annotate(column, corner, below, va="top", fontsize=_TEXT, **frame)
    return axes


def _edges_by_kind(evidence: EdgeEvidence, new: list[Pair], held_out: Any) -> dict[str, list[Pair]]:
    """Known edges between nodes of new ones, then both kinds of new ones."""

    def pairs_of(edges: Any) -> list[Pair]:
        return list(dict.fromkeys(zip(*edges.tolist(), strict=True)))

    held_out = [] if held_out is None else held_out
    true = {*pairs_of(_validation.edge_index("held_out", held_out, evidence.W.shape))}
    known = [] if evidence.known_edges is None else pairs_of(evidence.known_edges)
    touched = {node for pair in new for node in pair}
    kinds = {
        "known": [pair for pair in known if touched >= {*pair}],
        "new": [pair for pair in new if pair not in true],
        "new and held out": [pair for pair in new if pair in true],
    }
    return {kind: pairs for kind, pairs in kinds.items() if pairs}


@np.errstate(all="ignore")  # networkx divides by distances of 0
def _layout(nx: Any, graph: Any) -> Any:
    """Places of the nodes: distances as the steps between them, then spread over the area.

    Kamada, Kawai (1989), Information Processing Letters 31, 7-15; Geipel (2007), International
    Journal of Modern Physics C 18, 1537-1549.
    """
    steps = dict(nx.all_pairs_shortest_path_length(graph))
    steps = {one: {other: steps[one].get(other, _FAR) for other in graph} for one in graph}
    return nx.arf_layout(graph, nx.kamada_kawai_layout(graph, steps), seed=0)


def _key(lines: list[str]) -> list[str]:
    """Lines in as many columns as fit the width of the axes."""
    columns = max(1, min(4, _CHARACTERS // (2 + max(map(len, lines)))))
    rows = -(-len(lines) // columns)
    return ["\n".join(lines[row : row + rows]) for row in range(0, len(lines), rows)]
