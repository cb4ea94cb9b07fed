"""Edges split into parts, and known edges that are hidden from a trained model and ranked."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.evaluation import mrr

Indices = NDArray[np.int64]


def split_edges(
    edge_index: Any,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    seed: int,
    keep_connected: bool = False,
    stratify: Any = None,
    nodes: int | None = None,
) -> tuple[Indices, ...]:
    """Split edges at random into parts that share none.

    Parameters
    ----------
    edge_index : array-like of whole numbers, shape (2, E)
        Edges, sources above targets. An edge that stands there several times goes to one part
        with all its columns, and counts once in the sizes.
    fractions : sequence of float
        Share of each part; they add up to 1. Sizes are rounded by the largest remainder, the
        earlier part first where remainders are equal.
    seed : int
        Of the draw: the same edges, fractions and seed give the same parts.
    keep_connected : bool
        The first part keeps every node that has an edge, and nodes that a path joins, whatever
        the direction of its edges, stay joined: the model is given no node that it cannot reach.
    stratify : array-like of shape (E,), optional
        Label of each edge, such as its kind; each label is split by the fractions, so that the
        sizes of the whole may be off by less than one edge for each label.
    nodes : int, optional
        Number of nodes; edges outside 0 .. nodes - 1 are then an error.

    Returns
    -------
    tuple of int64 arrays of shape (2, E_i)
        The columns of each part, in the order of ``edge_index``; together all of its columns.

    Raises
    ------
    TypeError, ValueError
        For edges, fractions, labels or a seed that break their rule, or where the first part is
        too small to keep the graph connected: the message says how many edges that takes.

    Notes
    -----
    ``keep_connected`` draws a spanning forest by Kruskal's algorithm (Kruskal, Proceedings of the
    AMS 7, 1956) over the shuffled edges, with a self-edge for each node that has no other. With
    ``stratify`` a forest can take more edges of a label than the first part has; another seed
    draws another forest. Peak memory is a few times that of the edges.

    Examples
    --------
    >>> circle = [[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]]
    >>> known, held_out = split_edges(circle, (0.8, 0.2), seed=0, keep_connected=True)
    >>> known.shape, held_out.shape
    ((2, 4), (2, 1))
    """
    seed = _validation.whole_number("seed", seed, least=0)
    shares = _checked_fractions(fractions)
    shape = None if nodes is None else (_validation.whole_number("nodes", nodes, least=0),) * 2
    edges = _validation.edge_index("edge_index", edge_index, shape)
    keep_connected = _validation.flag("keep_connected", keep_connected)
    distinct, which = np.unique(edges, axis=1, return_inverse=True)
    which = which.reshape(-1)
    count = distinct.shape[1]
    labels = _distinct_labels(stratify, edges, which, count)
    order = np.random.default_rng(seed).permutation(count)
    needed = np.zeros(count, bool)
    if keep_connected:
        needed[order] = _spanning(distinct[:, order])
        # What connects comes first, and so into the first part.
        order = order[np.argsort(~needed[order], kind="stable")]
    part = np.empty(count, np.int64)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        sizes, wanted = _part_sizes(len(mine), shares), int(needed[mine].sum())
        if wanted > sizes[0]:
            raise ValueError(
                "fractions must leave the first part the edges that keep_connected=True needs; a "
                f"spanning forest takes {wanted} of {len(mine)}, the first part has {sizes[0]}: "
                "raise the first fraction, try another seed where stratify is used, or leave "
                "keep_connected out"
            )
        part[mine] = np.repeat(np.arange(len(shares)), sizes)
    return tuple(edges[:, part[which] == k] for k in range(len(shares)))


def _checked_fractions(fractions: Any) -> list[float]:
    """Shares that are not negative and add up to 1."""
    try:
        shares = [float(share) for share in fractions]
    except (TypeError, ValueError):
        raise TypeError(f"fractions must be a sequence of numbers; got {fractions!r}") from None
    if not shares or not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(
            f"fractions must lie in 0 .. 1 and add up to 1; got {shares}, which add up to "
            f"{sum(shares):g}: give the share of every part, the first one's too"
        )
    return shares


def _part_sizes(count: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers near ``count`` times the shares, by the largest remainder.

    >>> _part_sizes(18, (0.8, 0.1, 0.1))
    [14, 2, 2]
    """
    # Without the rounding, 0.07 * 100 = 7.000000000000001 would leave a remainder.
    quotas = [round(count * share, 9) for share in shares]
    sizes = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda k: sizes[k] - quotas[k])
    for k in by_remainder[: count - sum(sizes)]:
        sizes[k] += 1
    return sizes


def _distinct_labels(stratify: Any, edges: Indices, which: Indices, count: int) -> Indices:
    """Number of the label of each distinct edge; 0 for all without labels."""
    labels = np.zeros(count, np.int64)
    if stratify is None:
        return labels
    values = _validation.host_array("stratify", stratify)
    if values.shape != (edges.shape[1],):
        raise ValueError(
            f"stratify must hold a label for each of the {edges.shape[1]} edges; got shape "
            f"{values.shape}"
        )
    try:
        numbers = np.unique(values, return_inverse=True)[1].reshape(-1)
    except TypeError as error:
        raise TypeError(
            f"stratify must hold labels of one type; got {_validation.shown(stratify)}: give the "
            "edges without a label one of their own"
        ) from error
    labels[which] = numbers
    torn = np.flatnonzero(labels[which] != numbers)
    if torn.size:
        source, target = edges[:, torn[0]]
        raise ValueError(
            f"stratify must give an edge one label wherever it stands; edge {source} -> {target} "
            "has several: drop its duplicates or give them one label"
        )
    return labels


def _spanning(edges: Indices) -> NDArray[np.bool_]:
    """Edges that join two trees as they come, and self-edges of nodes without other edges."""
    # A union-find of ten lines: SciPy and networkx, which have one, are optional.
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(source: int, target: int) -> bool:
        one, other = root(source), root(target)
        parent[one] = other
        return one != other

    joins = [join(source, target) for source, target in edges.T.tolist()]
    loop = edges[0] == edges[1]
    alone = loop & ~np.isin(edges[0], edges[:, ~loop])
    return np.asarray(alone | np.array(joins, bool))


@dataclass(frozen=True, eq=False)
class EdgeRecovery:
    """Ranks of hidden edges, as `recover_edges` returns them.

    Attributes
    ----------
    hidden : float64 array of shape (repeats,)
        Filtered mean reciprocal rank of the hidden edges, by the scores made without them.
    shown : float64 array of shape (repeats,)
        That of the same edges, by the scores made with all edges in place: the baseline.
    edges : tuple of int64 arrays of shape (2, H)
        The columns of ``edge_index`` that each repeat hid.

    Examples
    --------
    >>> recovery = EdgeRecovery(np.array([0.5, 0.7]), np.array([0.9, 0.9]), ())
    >>> print(f"{recovery.hidden.mean():.1f} hidden, {recovery.shown.mean():.1f} shown")
    0.6 hidden, 0.9 shown
    """

    hidden: NDArray[np.float64]
    shown: NDArray[np.float64]
    edges: tuple[Indices, ...]


def recover_edges(
    infer: Callable[[NDArray[np.bool_]], Array],
    edge_index: Any,
    *,
    fraction: float,
    repeats: int = 5,
    seed: int,
) -> EdgeRecovery:
    """Hide known edges from a trained model, and see how well its scores find them again.

    Parameters
    ----------
    infer : callable
        ``infer(keep)`` gives a score matrix W of shape (N, N), of any array library. ``keep`` is
        a bool array of shape (E,), false where an edge is hidden. It is called once with all
        edges, and once for each repeat.
    edge_index : array-like of whole numbers, shape (2, E)
        The known edges, all of which the model has. Self-edges are never hidden; an edge that
        stands there several times is hidden with all its columns.
    fraction : float
        Share of the different edges to hide at a time, in (0, 1); rounded to whole edges.
    repeats : int
        Draws of edges to hide.
    seed : int
        Of the draws.

    Returns
    -------
    EdgeRecovery
        ``hidden`` and ``shown``, the `gsnn_edges.mrr` of the same edges without and with them in
        the model, in (0, 1], and ``edges``. Known edges never compete: a hidden edge is ranked
        among pairs that are no edges.

    Raises
    ------
    TypeError, ValueError
        For edges, a fraction, repeats or a seed that break their rule, a fraction that hides no
        edge or all of them, and scores that `gsnn_edges.mrr` refuses, as NaN.

    Notes
    -----
    The weights were trained with the hidden edges in place, so a model may have learnt to do
    without, or to make up for, what is hidden now: this is easier, and says less, than training
    without the edges. One score matrix is held beside that of the repeat.

    Examples
    --------
    >>> scores = np.array([[0.0, 0.9, 0.3], [0.1, 0.0, 0.8], [0.7, 0.2, 0.0]])
    >>> recovery = recover_edges(lambda keep: scores, [[0, 1, 2], [1, 2, 0]], fraction=0.34,
    ...                          repeats=2, seed=0)
    >>> recovery.hidden
    array([1., 1.])
    """
    if not callable(infer):
        raise TypeError(f"infer must be a callable, infer(keep) -> W; got {type(infer).__name__}")
    repeats = _validation.whole_number("repeats", repeats, least=1)
    generator = np.random.default_rng(_validation.whole_number("seed", seed, least=0))
    edges = _validation.edge_index("edge_index", edge_index)
    # Edges between different nodes have a number each, self-edges -1.
    number = np.full(edges.shape[1], -1)
    between = edges[0] != edges[1]
    distinct, which = np.unique(edges[:, between], axis=1, return_inverse=True)
    number[between] = which.reshape(-1)
    count = distinct.shape[1]
    size = round(_validation.fraction("fraction", fraction) * count)
    if not 0 < size < count:
        raise ValueError(
            f"fraction must hide at least one edge and leave at least one; {fraction} of {count} "
            f"edges between different nodes hides {size}: take another fraction or more edges"
        )
    baseline = infer(np.ones(edges.shape[1], bool))
    _validation.array("what infer(keep) returns", baseline)
    columns, hidden, shown = [], [], []
    for _ in range(repeats):
        keep = ~np.isin(number, generator.choice(count, size, replace=False))
        columns.append(edges[:, ~keep])
        hidden.append(mrr(infer(keep), columns[-1], edges))
        shown.append(mrr(baseline, columns[-1], edges))
    return EdgeRecovery(np.array(hidden), np.array(shown), tuple(columns))
