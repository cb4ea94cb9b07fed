"""W as a heatmap, with known and held-out edges marked, its order, and its distributions."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation, backends
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.plots.style import (
    BLACK,
    COLOURS,
    DASHES,
    GREY,
    SERIES,
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


# Held-out edges of up to four kinds, told apart by shape and by colour.
_RINGS = (("o", "#D55E00"), ("s", "#009E73"), ("D", "#E69F00"), ("^", "#0072B2"))
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
        Edges to mark by a small dot; left out, those of the evidence.
    held_out : array-like of whole numbers, shape (2, E), or mapping of name to such, optional
        Edges to mark by a ring; up to four kinds, such as ``{"validation": ..., "test": ...}``,
        by rings of different shapes.
    order : "cluster", None, or node indices of shape (N,)
        The order of rows and columns: by `cluster_order`, as they are, or these indices, such
        as the order of another matrix that is drawn beside this one.
    exclude_self : bool
        Hatch the diagonal, so that it does not stretch the colours.
    vmin, vmax : float, optional
        The scores at both ends of the colours; left out, 0 or the least that is shown, if that is
        larger, and the largest. The same ends make two pictures comparable.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Its image holds W in the order drawn. Of more than 24 nodes every second, third, ... is
        named. Only large scores are evidence, so that the colours run one way: scores below
        ``vmin`` are as light as ``vmin``, which the bar shows by an arrow.

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
    if known is not None:
        known = _validation.edge_index("known_edges", known, evidence.W.shape)
    rings = held_out_edges(held_out, evidence)
    nodes = _checked_order(order, evidence)
    scores = _shown_scores(evidence, nodes, exclude_self)
    low, high = _ends(scores, vmin, vmax)
    with drawing(ax, height=WIDTH, fitted=True) as axes:
        axes.patch.set(facecolor="white", edgecolor=GREY, hatch="/" * 8, linewidth=0)
        image = axes.imshow(scores, cmap=COLOURS, vmin=low, vmax=high)
        # Within the axes' own frame, so that the bar is as high as the matrix.
        bar = axes.inset_axes((1.04, 0, 0.05, 1))
        below, above = scores.min() < low, scores.max() > high
        extend = {(1, 0): "min", (0, 1): "max", (1, 1): "both"}.get((below, above), "neither")
        axes.figure.colorbar(image, cax=bar, label=meaning(evidence), extend=extend)
        _mark(axes, known, rings, np.argsort(nodes))
        _name_nodes(axes, [node_labels(evidence)[node] for node in nodes])
    return axes


def held_out_edges(held_out: Any, evidence: EdgeEvidence) -> dict[str, NDArray[np.int64]]:
    """Held-out edges by the name of their kind; no kind for None."""
    kinds = held_out if isinstance(held_out, Mapping) else {"held-out edge": held_out}
    if len(kinds) > len(_RINGS):
        raise ValueError(
            f"held_out must be of at most {len(_RINGS)} kinds, which shapes tell apart; got "
            f"{len(kinds)}: join some of them"
        )
    return {
        str(kind): _validation.edge_index("held_out", edges, evidence.W.shape)
        for kind, edges in kinds.items()
        if edges is not None
    }


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


def _ends(scores: Any, vmin: float | None, vmax: float | None) -> tuple[float, float]:
    """Scores at the ends of the colours."""
    low, high = (float(end) if scores.count() else 0.0 for end in (scores.min(), scores.max()))
    if vmin is None:
        vmin = 0.0 if low < 0 < high else low
    vmax = high if vmax is None else vmax
    if not -math.inf < vmin <= vmax < math.inf:
        raise ValueError(
            f"vmin and vmax must be finite, and vmin not above vmax; got {vmin} and {vmax}: leave "
            "one out to take it from W"
        )
    return vmin, vmax


def meaning(evidence: EdgeEvidence) -> str:
    """What W is, where the evidence knows how it was made."""
    kind = {"spearman": "rank correlation", "pearson": "correlation"}.get(evidence.method)
    score = evidence.settings.get("score")
    if score == "channels":
        return "W, norm of the correlations of channels"
    return f"W, {kind}" if score == "magnitude" and kind else "evidence W"


def _mark(axes: Any, known: Any, rings: Mapping[str, Any], place: NDArray[np.int64]) -> None:
    """Mark known edges by dots that leave their cells to be seen, and held-out ones by rings."""
    window = axes.get_window_extent()
    cell = 72 / axes.figure.dpi * min(window.width, window.height) / len(place)

    def mark(edges: Any, marker: str, **look: Any) -> None:
        axes.plot(place[edges[1]], place[edges[0]], marker, clip_on=False, **look)

    if known is not None:
        # A dark edge around a light filling is seen on every colour of the map.
        size = min(max(1.3, 0.35 * cell), 3.5)
        mark(known, "o", ms=size, mfc="white", mec=BLACK, mew=0.4, label="known edge")
    for (kind, edges), (marker, colour) in zip(rings.items(), _RINGS, strict=False):
        mark(edges, marker, ms=max(4.4, 1.1 * cell), mfc="none", mec=colour, label=kind)
    if axes.lines:
        legend_above(axes, ncols=3)


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


def score_distributions(
    evidence: Any, held_out: Any = None, *, bins: int = 40, ax: "Axes | None" = None
) -> "Axes":
    """Draw how the scores of known, held-out and all other pairs are distributed.

    Parameters
    ----------
    evidence : EdgeEvidence, or array of shape (N, N)
    held_out : array-like of whole numbers, shape (2, E), or mapping of name to such, optional
        As for `heatmap`.
    bins : int
        Of equal width, from the least to the largest score.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        A line for each kind of pair, self-pairs left out. The area beneath each is 1, so that kinds
        of different sizes compare; the legend has the sizes.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    TypeError, ValueError
        For a W that is no square matrix of finite real numbers, edges outside of it, or no bin.

    Examples
    --------
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.8], [0.3, 0.1, 0.0]])
    >>> ax = score_distributions(W, held_out=[[0, 1], [1, 2]], bins=8, ax=blank_axes())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['held-out edge (2)', 'other pair (4)']
    """
    evidence = checked_evidence("evidence", evidence)
    bins = _validation.whole_number("bins", bins, least=1)
    scores = backends.of(evidence.W).to_numpy(evidence.W).astype(np.float64)
    different = ~np.eye(len(scores), dtype=bool)
    others = different.copy()
    kinds = held_out_edges(held_out, evidence)
    if evidence.known_edges is not None:
        kinds = {"known edge": evidence.known_edges, **kinds}
    drawn = {}
    for kind, (sources, targets) in kinds.items():
        mask = np.zeros_like(others)
        mask[sources, targets] = True
        drawn[kind] = scores[mask & different]
        others &= ~mask
    drawn["other pair"] = scores[others]
    edges = np.histogram_bin_edges(np.concatenate([*drawn.values()]), bins)
    with drawing(ax) as axes:
        for place, (kind, values) in enumerate(drawn.items()):
            if len(values):
                colour = GREY if kind == "other pair" else SERIES[place]
                label, dash = f"{kind} ({len(values):,})", DASHES[place % len(DASHES)]
                density = np.histogram(values, edges, density=True)[0]
                axes.stairs(density, edges, color=colour, linestyle=dash, label=label)
                axes.stairs(density, edges, color=colour, fill=True, alpha=0.15)
        axes.set(xlabel=meaning(evidence), ylabel="density")
        legend_above(axes, ncols=2)
    return axes
