"""The network of the strongest new edges beside the known ones around them."""

from typing import TYPE_CHECKING, Any

from gsnn_edges import _validation
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.plots.arguments import labels_of
from gsnn_edges.plots.layout import GAP, NODE, Laid, laid
from gsnn_edges.plots.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    WIDTH,
    drawing,
    legend_above,
    matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pair = tuple[int, int]

NODE_SIZE = 12  # square points
NAME_SIZE = 7  # points
LOOKS: dict[str, dict[str, Any]] = {
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
        Arrows run from source to target. Each is one patch, whose gid is its kind and its edge,
        as "new 3 -> 7", which SVG files keep. The same evidence gives the same picture.

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
    kinds = edges_by_kind(evidence, top, held_out, candidates)
    graph = nx.DiGraph([pair for pairs in kinds.values() for pair in pairs])
    names = labels_of(evidence)
    with drawing(ax, height=WIDTH) as axes:
        for kind in kinds:
            look = LOOKS[kind]
            axes.plot([], [], color=look["edge_color"], linestyle=look["style"], label=kind)
        axes.set_axis_off()
        legend_above(axes, ncols=3)
        found = laid(graph.to_undirected(), sizes_of(axes, graph, names), ground_of(axes))
        places = {node: one.place for node, one in found.items()}
        for kind, pairs in kinds.items():
            draw_edges(nx, axes, graph, places, kind, pairs, names)
        draw_nodes(nx, axes, graph, found, names)
    return axes


def ground_of(axes: Any) -> tuple[float, float]:
    """Make points the unit of both axes, and say how many there are."""
    axes.figure.draw_without_rendering()  # the layout of the figure is settled by drawing only
    box = axes.get_window_extent()
    width, height = (72 / axes.figure.dpi * side for side in (box.width, box.height))
    axes.set(xlim=(0, width), ylim=(0, height))
    return width, height


def sizes_of(axes: Any, nodes: Any, names: list[str]) -> dict[int, tuple[float, float]]:
    """Measure the name of each node, in points."""
    sizes = {}
    for node in nodes:
        text = axes.text(0, 0, names[node], fontsize=NAME_SIZE)
        box = text.get_window_extent()
        sizes[node] = (72 / axes.figure.dpi * box.width, 72 / axes.figure.dpi * box.height)
        text.remove()
    return sizes


def edges_by_kind(
    evidence: EdgeEvidence, top: int, held_out: Any, candidates: Any
) -> dict[str, list[Pair]]:
    """List the edges to draw: known ones between nodes of new ones, then both kinds of new ones."""
    new = [(edge.source, edge.target) for edge in evidence.top(top, candidates=candidates)]
    if not new:
        raise ValueError("evidence must have a pair that is not known; got none to draw")
    true = pairs_of(
        _validation.edge_index("held_out", [] if held_out is None else held_out, evidence.W.shape)
    )
    touched = {node for pair in new for node in pair}
    known = [] if evidence.known_edges is None else pairs_of(evidence.known_edges)
    kinds = {
        "known": [pair for pair in dict.fromkeys(known) if len(touched & {*pair}) == 2],
        "new": [pair for pair in new if pair not in {*true}],
        "new and held out": [pair for pair in new if pair in {*true}],
    }
    return {kind: pairs for kind, pairs in kinds.items() if pairs}


def pairs_of(edges: Any) -> list[Pair]:
    """List the edges of an edge index."""
    return list(zip(*edges.tolist(), strict=True))


def draw_nodes(nx: Any, axes: Any, graph: Any, found: dict[int, Laid], names: list[str]) -> None:
    """Draw all nodes, each with its name above or below."""
    halo = matplotlib("matplotlib.patheffects").withStroke(linewidth=1.5, foreground="white")
    places = {node: one.place for node, one in found.items()}
    nx.draw_networkx_nodes(
        graph, places, ax=axes, node_size=NODE_SIZE, node_color="white", edgecolors=BLACK
    )
    for node, (place, side) in found.items():
        axes.annotate(
            names[node],
            place,
            textcoords="offset points",
            xytext=[along * (NODE + GAP) / 2 for along in side],
            ha={-1: "right", 0: "center", 1: "left"}[side[0]],
            va={-1: "top", 0: "center", 1: "bottom"}[side[1]],
            fontsize=NAME_SIZE,
            path_effects=[halo],
        )


def draw_edges(
    nx: Any, axes: Any, graph: Any, places: Any, kind: str, pairs: list[Pair], names: list[str]
) -> None:
    """Draw the arrows of one kind, and its line in the legend."""
    look = LOOKS[kind]
    arrows = nx.draw_networkx_edges(
        graph,
        places,
        ax=axes,
        edgelist=pairs,
        node_size=NODE_SIZE,
        arrowsize=7,
        width=1.0,
        arrowstyle="-|>",
        connectionstyle="arc3,rad=0.12",  # so that i -> j and j -> i are two lines
        **look,
    )
    for arrow, (source, target) in zip(arrows, pairs, strict=True):
        arrow.set_gid(f"{kind} {names[source]} -> {names[target]}")
