"""Places of nodes and of their names: every connected part by itself, names apart from nodes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation

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
