"""The network of the strongest new edges beside the known ones around them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    matplotlib,
    node_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pair = tuple[int, int]
Floats = NDArray[np.float64]

_NODE = 5.0  # height of a node, in points
_NAME_SIZE = 7  # points
_FAR = 5  # steps between nodes that no path joins
_PUSHES = 500  # of names that lie on each other
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
    kinds = _edges_by_kind(evidence, top, held_out, candidates)
    # In a fixed order: the layout depends on it.
    graph = nx.DiGraph()
    graph.add_nodes_from(
        sorted({node for pairs in kinds.values() for pair in pairs for node in pair})
    )
    graph.add_edges_from(sorted(pair for pairs in kinds.values() for pair in pairs))
    names = node_labels(evidence)
    with drawing(ax, height=WIDTH) as axes:
        for kind in kinds:
            look = _LOOKS[kind]
            axes.plot([], [], color=look["edge_color"], linestyle=look["style"], label=kind)
        axes.set_axis_off()
        legend_above(axes, ncols=3)
        places, sides = _layout(nx, axes, graph.to_undirected(), names)
        for kind, pairs in kinds.items():
            arrows = nx.draw_networkx_edges(
                graph,
                places,
                ax=axes,
                edgelist=pairs,
                node_size=_NODE**2,
                arrowsize=7,
                width=1.0,
                arrowstyle="-|>",
                connectionstyle="arc3,rad=0.12",  # so that i -> j and j -> i are two lines
                **_LOOKS[kind],
            )
            for arrow, (source, target) in zip(arrows, pairs, strict=True):
                arrow.set_gid(f"{kind} {names[source]} -> {names[target]}")
        nx.draw_networkx_nodes(
            graph, places, ax=axes, node_size=_NODE**2, node_color="white", edgecolors=BLACK
        )
        halo = matplotlib("matplotlib.patheffects").withStroke(linewidth=1.5, foreground="white")
        for node, (x, y) in places.items():
            axes.text(
                x,
                y + sides[node] * _NODE,
                names[node],
                ha="center",
                va="bottom" if sides[node] > 0 else "top",
                fontsize=_NAME_SIZE,
                path_effects=[halo],
            )
    return axes


def _edges_by_kind(
    evidence: EdgeEvidence, top: int, held_out: Any, candidates: Any
) -> dict[str, list[Pair]]:
    """Known edges between nodes of new ones, then both kinds of new ones."""

    def pairs_of(edges: Any) -> list[Pair]:
        return list(dict.fromkeys(zip(*edges.tolist(), strict=True)))

    new = pairs_of(evidence.to_edge_index(top, candidates=candidates))
    if not new:
        raise ValueError("evidence must have a pair that is not known; got none to draw")
    true = {
        *pairs_of(
            _validation.edge_index(
                "held_out", [] if held_out is None else held_out, evidence.W.shape
            )
        )
    }
    known = [] if evidence.known_edges is None else pairs_of(evidence.known_edges)
    touched = {node for pair in new for node in pair}
    kinds = {
        "known": [pair for pair in known if touched >= {*pair}],
        "new": [pair for pair in new if pair not in true],
        "new and held out": [pair for pair in new if pair in true],
    }
    return {kind: pairs for kind, pairs in kinds.items() if pairs}


def _layout(
    nx: Any, axes: Any, graph: Any, names: list[str]
) -> tuple[dict[int, Floats], dict[int, int]]:
    """Places of the nodes, and the side of each name: 1 above its node, -1 below.

    Points become the unit of the axes. Distances are as the steps between nodes (Kamada, Kawai
    (1989), Information Processing Letters 31, 7-15), and a name stands where fewer edges lead.
    Nodes whose names would overlap are then pushed apart.
    """
    axes.figure.draw_without_rendering()  # the layout of the figure is settled by drawing only
    scale = 72 / axes.figure.dpi
    box = axes.get_window_extent()
    size = np.array([scale * box.width, scale * box.height])
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    steps = dict(nx.all_pairs_shortest_path_length(graph))
    steps = {one: {other: steps[one].get(other, _FAR) for other in graph} for one in graph}
    springs = nx.kamada_kawai_layout(graph, steps)
    places = np.array([springs[node] for node in graph])
    places -= places.min(axis=0)
    places *= size / np.maximum(places.max(axis=0), 1e-9)
    heights = dict(zip(graph, places[:, 1], strict=True))
    ups = [sum(np.sign(heights[other] - heights[node]) for other in graph[node]) for node in graph]
    sides = np.where(np.array(ups) > 0, -1, 1)
    texts = [axes.text(0, 0, names[node], fontsize=_NAME_SIZE) for node in graph]
    boxes = np.array([[t.get_window_extent().width, t.get_window_extent().height] for t in texts])
    for text in texts:
        text.remove()
    # A box holds a node and its name.
    boxes = scale * boxes + [2, 2 * _NODE]
    middle = np.stack([0 * sides, sides * (boxes[:, 1] / 2 - _NODE)], axis=1)
    places = _pushed_apart(places + middle, boxes, size) - middle
    return dict(zip(graph, places, strict=True)), dict(zip(graph, sides.tolist(), strict=True))


def _pushed_apart(centres: Floats, boxes: Floats, size: Floats) -> Floats:
    """Centres of boxes that no longer overlap: pushed along the shorter way, within the axes.

    >>> _pushed_apart(np.array([[5.0, 5.0], [6.0, 5.0]]), np.full((2, 2), 4.0), np.full(2, 20.0))
    array([[3.5, 5. ],
           [7.5, 5. ]])
    """
    low, high = boxes / 2, np.maximum(size - boxes / 2, boxes / 2)
    need = (boxes[:, None] + boxes) / 2
    number = np.arange(len(centres))
    # Boxes at the same place move apart by their order.
    order = np.sign(number[:, None] - number)[..., None]
    for _ in range(_PUSHES):
        centres = np.clip(centres, low, high)
        way = centres[:, None] - centres
        overlap = need - np.abs(way)
        touching = (overlap > 1e-6).all(axis=2) & (number[:, None] != number)
        if not touching.any():
            break
        shorter = np.stack(
            [overlap[..., 0] <= overlap[..., 1], overlap[..., 0] > overlap[..., 1]], 2
        )
        push = np.where(way == 0, order, np.sign(way)) * overlap * (touching[..., None] & shorter)
        centres = centres + push.sum(axis=1) / 2
    return np.clip(centres, low, high)
