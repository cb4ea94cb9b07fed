"""Places of nodes: every connected part of a graph by itself, part beside part."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _checks

Place = NDArray[np.float64]

STEPS = 30


def placed(graph: Any) -> dict[Any, Place]:
    """Place the nodes of an undirected networkx graph, the same for the same graph.

    Parts are laid out by themselves, since what keeps two parts apart would press each of them
    together, and set in lines as squares, the largest first. Within a part springs pull and push
    for some steps (Fruchterman, Reingold (1991), Software: Practice and Experience 21, 1129-1164),
    from a circle on which neighbours stand together: left longer, chains would become straight.
    """
    nx = _checks.imported("networkx", "the network needs networkx", "plots")
    parts = sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    sides = [len(part) ** 0.5 + 1 for part in parts]
    places: dict[Any, Place] = {}
    for part, side, corner in zip(parts, sides, corners(sides), strict=True):
        ordered = nx.Graph()
        ordered.add_nodes_from(sorted(part))
        ordered.add_edges_from(sorted(graph.subgraph(part).edges))
        circle = nx.circular_layout(list(nx.dfs_preorder_nodes(ordered)))
        found = nx.spring_layout(ordered, pos=circle, iterations=STEPS, seed=0)
        inside = filling(np.array([found[node] for node in ordered]))
        # A margin keeps the names of neighbouring parts apart.
        middle, reach = np.array([side, -side]) / 2, (side - 1) / 2
        places |= dict(zip(ordered, corner + middle + reach * inside, strict=True))
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


def corners(sides: list[float]) -> list[Place]:
    """Give the upper left corner of each square, set in lines from the top.

    >>> [corner.tolist() for corner in corners([2.0, 0.9, 0.9])]
    [[0.0, 0.0], [0.0, -2.0], [0.9, -2.0]]
    """
    width = max(max(sides), 1.2 * float(np.sum(np.square(sides))) ** 0.5)
    found, x, y, height = [], 0.0, 0.0, 0.0
    for side in sides:
        if x + side > width + 1e-9:
            x, y, height = 0.0, y - height, 0.0
        found.append(np.array([x, y]))
        x, height = x + side, max(height, side)
    return found
