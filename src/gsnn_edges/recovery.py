"""How well known edges come back when they are hidden from the model at inference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.evaluation import mrr

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Infer = Callable[[Mask], Array]


@dataclass(frozen=True, eq=False)
class EdgeRecovery:
    """What `recover_edges` found.

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
    >>> found = EdgeRecovery(np.array([0.5, 0.7]), np.array([0.9, 0.9]), ())
    >>> print(f"{found.hidden.mean():.1f} hidden, {found.shown.mean():.1f} shown")
    0.6 hidden, 0.9 shown
    """

    hidden: NDArray[np.float64]
    shown: NDArray[np.float64]
    edges: tuple[Indices, ...]


def recover_edges(
    infer: Infer, edge_index: Any, *, fraction: float, repeats: int = 5, seed: int
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
    >>> found = recover_edges(lambda keep: scores, [[0, 1, 2], [1, 2, 0]], fraction=0.34,
    ...                       repeats=2, seed=0)
    >>> found.hidden
    array([1., 1.])
    """
    if not callable(infer):
        raise TypeError(f"infer must be a callable, infer(keep) -> W; got {type(infer).__name__}")
    repeats = _validation.whole_number("repeats", repeats, least=1)
    generator = np.random.default_rng(_validation.whole_number("seed", seed, least=0))
    edges = _validation.edge_index("edge_index", edge_index)
    number, count = numbered(edges)
    size = hidden_size(fraction, count)
    baseline = infer(np.ones(edges.shape[1], bool))
    _validation.array("what infer(keep) gives", baseline)
    columns, hidden, shown = [], [], []
    for _ in range(repeats):
        keep = ~np.isin(number, generator.choice(count, size, replace=False))
        columns.append(edges[:, ~keep])
        # A copy: infer may keep the mask, or write to it.
        hidden.append(mrr(infer(keep.copy()), columns[-1], edges))
        shown.append(mrr(baseline, columns[-1], edges))
    return EdgeRecovery(np.array(hidden), np.array(shown), tuple(columns))


def numbered(edges: Indices) -> tuple[Indices, int]:
    """Give edges between different nodes a number each, self-edges -1; and count the numbers."""
    number = np.full(edges.shape[1], -1)
    between = edges[0] != edges[1]
    distinct, which = np.unique(edges[:, between], axis=1, return_inverse=True)
    number[between] = which.reshape(-1)
    return number, distinct.shape[1]


def hidden_size(fraction: Any, count: int) -> int:
    """Give the number of edges to hide: some, and not all."""
    size = round(_validation.fraction("fraction", fraction) * count)
    if not 0 < size < count:
        raise ValueError(
            f"fraction must hide at least one edge and leave at least one; {fraction} of {count} "
            f"edges between different nodes hides {size}: take another fraction or more edges"
        )
    return size
