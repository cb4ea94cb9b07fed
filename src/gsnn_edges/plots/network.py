"""The network of the strongest new edges beside the known ones around them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

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
    labels_of,
    legend_above,
    matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Place = NDArray[np.float64]

STEPS = 30  # of the springs; left longer, chains would become straight
PUSHES = 300  # of names that lie on each other
NODE = 5.0  # the height of a node with its rim, in points
GAP = 2.0  # between a node and its name, and around both
WIDE = 1.7  # how much wider than high the ground of a part is: names are


# Above, below, right, left: in this order where edges leave the choice.
SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))


class Laid(NamedTuple):
    """Where a node stands, and on which side its name does, as one of `SIDES`."""

    place: Place
    side: tuple[int, int]


def laid(
    graph: Any, names: Mapping[Any, tuple[float, float]], size: tuple[float, float]
) -> dict[Any, Laid]:
    """Place the nodes of an undirected networkx graph, the same for the same graph.

    Parameters
    ----------
    graph : networkx.Graph
    names : mapping of node to width and height of its name
    size : width and height of the ground, in the same unit

    Notes
    -----
    Each connected part gets ground by its number of nodes, and is laid out by itself: springs pull
    and push for some steps (Fruchterman, Reingold (1991), Software: Practice and Experience 21,
    1129-1164), from a circle on which neighbours stand together. A name stands on the side of its
    node from which edges keep away. Nodes whose names would lie on others are pushed apart.
    """
    places = placed(graph, names, size)
    nodes = list(places)
    sides = np.array([side_of(node, graph, places) for node in nodes])
    texts = np.array([names[node] for node in nodes])
    boxes = np.maximum(texts, NODE) + GAP + abs(sides) * (NODE + GAP)
    middle = sides * (texts + GAP) / 2
    centres = apart(np.array([places[node] for node in nodes]) + middle, boxes, np.array(size))
    return {
        node: Laid(place, (int(side[0]), int(side[1])))
        for node, place, side in zip(nodes, centres - middle, sides, strict=True)
    }


def placed(
    graph: Any, names: Mapping[Any, tuple[float, float]], size: tuple[float, float]
) -> dict[Any, Place]:
    """Place nodes by springs, part by part."""
    nx = _validation.imported("networkx", "the network needs networkx", "plots")
    parts = sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    width, height = size
    grounds = tiles([len(part) + 0.5 for part in parts], width / WIDE, height)
    places: dict[Any, Place] = {}
    for part, (left, bottom, across, up) in zip(parts, grounds, strict=True):
        ordered = nx.Graph()
        ordered.add_nodes_from(sorted(part))
        ordered.add_edges_from(sorted(graph.subgraph(part).edges))
        circle = nx.circular_layout(list(nx.dfs_preorder_nodes(ordered)))
        found = nx.spring_layout(ordered, pos=circle, iterations=STEPS, seed=0)
        inside = filling(np.array([found[node] for node in ordered]))
        ground = np.array([across * WIDE, up])
        margin = np.max([names[node] for node in ordered], axis=0) * (1, 2) + NODE
        reach = np.maximum(ground - margin, 0) / 2
        middle = np.array([left * WIDE, bottom]) + ground / 2
        places |= dict(zip(ordered, middle + reach * inside, strict=True))
    return places


def filling(places: Place) -> Place:
    """Stretch places so that they fill the square from -1 to 1, either way.

    >>> filling(np.array([[0.0, 3.0], [1.0, 3.0], [4.0, 3.0]])).tolist()
    [[-1.0, 0.0], [-0.5, 0.0], [1.0, 0.0]]
    """
    low, high = places.min(axis=0), places.max(axis=0)
    reach = (high - low) / 2
    flat = reach < 1e-3 * reach.max()
    stretched: Place = (places - (low + high) / 2) / np.where(flat, 1, reach)
    return stretched


def tiles(
    weights: list[float], width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """Divide a rectangle into nearly square ones, the largest first, with areas as the weights.

    Squarified treemaps: Bruls, Huizing, van Wijk (2000), Data Visualization, 33-42.

    >>> tiles([2.0, 1.0, 1.0], 4.0, 2.0)
    [(0.0, 0.0, 2.0, 2.0), (2.0, 0.0, 2.0, 1.0), (2.0, 1.0, 2.0, 1.0)]
    """
    found: list[tuple[float, float, float, float]] = []
    x, y = 0.0, 0.0
    while weights:
        scale, side = width * height / sum(weights), min(width, height)
        count = 1
        while count < len(weights) and worst(weights[: count + 1], scale, side) <= worst(
            weights[:count], scale, side
        ):
            count += 1
        row, weights = weights[:count], weights[count:]
        thick, along = sum(row) * scale / side, 0.0
        for weight in row:
            long = weight * scale / thick
            upright = width >= height
            tile = (x, y + along, thick, long) if upright else (x + along, y, long, thick)
            found.append(tile)
            along += long
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
    return found


def worst(row: list[float], scale: float, side: float) -> float:
    """Give the largest ratio of the sides of tiles that share a row."""
    thick = sum(row) * scale / side
    ratios = [weight * scale / thick**2 for weight in row]
    return max(max(ratio, 1 / ratio) for ratio in ratios)


def side_of(node: Any, graph: Any, places: Mapping[Any, Place]) -> tuple[int, int]:
    """Choose the side from which the edges of a node keep away most."""
    ways = np.array([places[other] - places[node] for other in graph[node] if other != node])
    ways = ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)
    crowded = [round(float(np.sum(np.maximum(ways @ side, 0) ** 2)), 3) for side in SIDES]
    return SIDES[int(np.argmin(crowded))]


def apart(centres: Place, boxes: Place, size: Place) -> Place:
    """Push boxes that overlap apart, along the shorter way, and keep them on the ground.

    >>> apart(np.array([[5.0, 5.0], [6.0, 5.0]]), np.full((2, 2), 4.0), np.full(2, 20.0)).round(1)
    array([[3.5, 5. ],
           [7.5, 5. ]])
    """
    low, high = boxes / 2, np.maximum(size - boxes / 2, boxes / 2)
    need = (boxes[:, None] + boxes) / 2
    others = ~np.eye(len(centres), dtype=bool)
    for _ in range(PUSHES):
        centres = np.clip(centres, low, high)
        way = centres[:, None] - centres
        overlap = need - np.abs(way)
        touching = (overlap > 1e-6).all(axis=2) & others
        if not touching.any():
            break
        axis = overlap.argmin(axis=2)
        push = np.zeros_like(way)
        for along in (0, 1):
            # Those that stand at the same place part by their order.
            order = np.sign(np.arange(len(centres))[:, None] - np.arange(len(centres)))
            sign = np.where(way[..., along] == 0, order, np.sign(way[..., along]))
            push[..., along] = np.where(touching & (axis == along), sign * overlap[..., along], 0)
        centres = centres + push.sum(axis=1) / 2
    return np.clip(centres, low, high)


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
