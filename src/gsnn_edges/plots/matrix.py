"""The heatmap of W, with known and held-out edges marked, and its order."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation, backends
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.plots.style import (
    BLACK,
    COLOURS,
    SIGNED_COLOURS,
    VERMILION,
    WIDTH,
    checked_evidence,
    drawing,
    legend_above,
    node_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# The best order of the leaves takes time that grows as N³: seconds, for so many nodes.
_BEST_ORDER_UP_TO = 500


def cluster_order(W: Any) -> NDArray[np.int64]:
    """Order nodes so that those whose rows and columns of W are alike stand together.

    Parameters
    ----------
    W : EdgeEvidence, or array of shape (N, N)

    Returns
    -------
    int64 array of shape (N,)
        The leaves of a hierarchical clustering (Ward's method, Euclidean distance) of the nodes,
        each by what it sends and what it receives: its row beside its column, the diagonal left
        out. Up to 500 nodes, neighbours are as close as the tree allows [1]_.

    Raises
    ------
    ImportError
        Without SciPy, which comes with the extra "plots".
    TypeError, ValueError
        For a W that is no square matrix of finite real numbers.

    Notes
    -----
    Peak memory: four float64 matrices of W's size.

    References
    ----------
    .. [1] Z. Bar-Joseph, D. K. Gifford, T. S. Jaakkola (2001). Fast optimal leaf ordering for
       hierarchical clustering. Bioinformatics 17, S22-S29.

    Examples
    --------
    >>> W = np.zeros((4, 4))
    >>> W[[0, 2], 1] = W[[1, 3], 0] = 1  # nodes 0 and 2 send alike, and 1 and 3 do
    >>> [int(node) % 2 for node in cluster_order(W)] in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """
    hierarchy = _validation.imported("scipy.cluster.hierarchy", "the order needs SciPy", "plots")
    evidence = checked_evidence("W", W)
    scores = backends.of(evidence.W).to_numpy(evidence.W).astype(np.float64)
    if len(scores) < 3:
        return np.arange(len(scores))
    np.fill_diagonal(scores, 0)
    profiles = np.concatenate([scores, scores.T], axis=1)
    best = len(scores) <= _BEST_ORDER_UP_TO
    tree = hierarchy.linkage(profiles, "ward", optimal_ordering=best)
    return np.asarray(hierarchy.leaves_list(tree), dtype=np.int64)


# Of the diagonal: neither an end nor the middle of a map of colours.
_BLANK = "#d9d9d9"
# More names than these do not fit beside the axes at 7 points.
_MOST_NAMES = 24


def heatmap(
    W: Any,
    known_edges: Any = None,
    held_out: Any = None,
    *,
    order: Any = "cluster",
    exclude_self: bool = True,
    vmin: float | None = None,
    vmax: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a matrix of evidence, sources from top to bottom and targets from left to right.

    Parameters
    ----------
    W : EdgeEvidence, or array of shape (N, N)
    known_edges : array-like of whole numbers, shape (2, E), optional
        Edges to mark by a white dot; left out, those of the evidence.
    held_out : array-like of whole numbers, shape (2, E), optional
        Edges to mark by a ring.
    order : "cluster", None, or node indices of shape (N,)
        The order of rows and columns: by `cluster_order`, as they are, or these indices, such
        as the order of another matrix that is drawn beside this one.
    exclude_self : bool
        Leave the diagonal blank, so that it does not stretch the colours.
    vmin, vmax : float, optional
        The scores at both ends of the colours; left out, the least and the largest that are shown.
        The same ends make two pictures comparable.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Its image holds W in the order drawn. Of more than 24 nodes every second, third, ... is
        named. Where scores of both signs are shown, the colours run both ways from white at 0.

    Raises
    ------
    ImportError
        Without matplotlib, or SciPy for the order: the extra "plots".
    TypeError, ValueError
        For a W that is no square matrix of finite real numbers, edges outside of it, an order
        that does not hold every node once, or ends of the colours that are none.

    Notes
    -----
    Peak memory: two copies of W, and those of `cluster_order`.

    Examples
    --------
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.8], [0.3, 0.1, 0.0]])
    >>> ax = heatmap(W, known_edges=[[0], [1]], held_out=[[1], [2]], order=None, ax=blank_axes())
    >>> ax.get_ylabel(), [line.get_label() for line in ax.lines]
    ('source node', ['known edge', 'held-out edge'])
    """
    evidence = checked_evidence("W", W)
    exclude_self = _validation.flag("exclude_self", exclude_self)
    known = evidence.known_edges if known_edges is None else known_edges
    marks = {"known_edges": known, "held_out": held_out}
    edges = {
        name: _validation.edge_index(name, value, evidence.W.shape)
        for name, value in marks.items()
        if value is not None
    }
    nodes = _checked_order(order, evidence)
    scores = _shown_scores(evidence, nodes, exclude_self)
    look = _colours(scores, vmin, vmax)
    with drawing(ax, height=WIDTH) as axes:
        axes.set_facecolor(_BLANK)
        image = axes.imshow(scores, **look)
        # Within the axes' own frame, so that the bar is as high as the matrix.
        bar = axes.inset_axes((1.04, 0, 0.05, 1))
        axes.figure.colorbar(image, cax=bar, label=_meaning(evidence))
        _mark(axes, edges, np.argsort(nodes))
        _name_nodes(axes, [node_labels(evidence)[node] for node in nodes])
    return axes


def _checked_order(order: Any, evidence: EdgeEvidence) -> NDArray[np.int64]:
    """Node of each row, from the top."""
    everyone = np.arange(evidence.W.shape[0])
    if order is None:
        return everyone
    if isinstance(order, str):
        _validation.choice("order", order, ("cluster",))
        return cluster_order(evidence)
    nodes = _validation.host_array("order", order, "'cluster', None or an array of node indices")
    if not np.array_equal(np.sort(nodes), everyone):
        raise ValueError(
            f"order must hold each of the {len(everyone)} nodes once; got "
            f"{_validation.listing(nodes)}: pass 'cluster', None or a permutation"
        )
    return nodes.astype(np.int64)


def _shown_scores(
    evidence: EdgeEvidence, nodes: NDArray[np.int64], exclude_self: bool
) -> np.ma.MaskedArray[Any, Any]:
    """W in the order drawn, masked where nothing is shown."""
    scores = backends.of(evidence.W).to_numpy(evidence.W)[np.ix_(nodes, nodes)]
    hidden = np.eye(len(nodes), dtype=bool) & exclude_self
    return np.ma.MaskedArray(scores.astype(np.float64), hidden)


def _colours(scores: Any, vmin: float | None, vmax: float | None) -> dict[str, Any]:
    """Colour map and its ends; both sides of 0 are as long where there are both."""
    low, high = (float(end) if scores.count() else 0.0 for end in (scores.min(), scores.max()))
    low, high = (low if vmin is None else vmin), (high if vmax is None else vmax)
    if not -math.inf < low <= high < math.inf:
        raise ValueError(
            f"vmin and vmax must be finite, and vmin not above vmax; got {low} and {high}: leave "
            "one out to take it from W"
        )
    if low < 0 < high:
        most = max(-low, high)
        return {"cmap": SIGNED_COLOURS, "vmin": -most, "vmax": most}
    return {"cmap": COLOURS, "vmin": low, "vmax": high}


def _meaning(evidence: EdgeEvidence) -> str:
    """What W is, where the evidence knows how it was made."""
    kind = {"spearman": "rank correlation", "pearson": "correlation"}.get(evidence.method)
    score = evidence.settings.get("score")
    if score == "channels":
        return "W, norm of the correlations of channels"
    return f"W, {kind}" if score == "magnitude" and kind else "evidence W"


def _mark(axes: Any, edges: dict[str, NDArray[np.int64]], place: NDArray[np.int64]) -> None:
    """Mark edges by dots and rings, as large as a cell but never too small to see."""
    window = axes.get_window_extent()
    cell = 72 / axes.figure.dpi * min(window.width, window.height) / len(place)
    # A dark edge around a light filling is seen on every colour of the map.
    looks: dict[str, dict[str, Any]] = {
        "known_edges": {"label": "known edge", "mfc": "white", "mec": BLACK, "mew": 0.4},
        "held_out": {"label": "held-out edge", "mfc": "none", "mec": VERMILION, "mew": 1.0},
    }
    sizes = {"known_edges": max(2.0, 0.5 * cell), "held_out": max(4.4, 1.1 * cell)}
    for kind, (sources, targets) in edges.items():
        ends = place[targets], place[sources]
        axes.plot(*ends, "o", ms=sizes[kind], clip_on=False, **looks[kind])
    if edges:
        legend_above(axes, ncols=2)


def _name_nodes(axes: Any, names: list[str]) -> None:
    """Name every row and column, or as many as fit, evenly; and say how many there are."""
    step = -(-len(names) // _MOST_NAMES)
    shown = range(0, len(names), step)
    axes.set_xticks(shown, [names[node] for node in shown], rotation=90)
    axes.set_yticks(shown, [names[node] for node in shown])
    axes.tick_params(length=0 if step == 1 else 2)
    axes.spines[:].set_visible(False)
    count = "" if step == 1 else f" (1 in {step} of {len(names)} named)"
    axes.set(xlabel=f"target node{count}", ylabel=f"source node{count}")
