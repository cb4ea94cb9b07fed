"""Which pairs of nodes compete: all, a mask, or rules over node names; and the largest scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from gsnn_edges import _validation

_ARROW = "->"
# Stretches of a row for each of its k largest scores.
_STRETCHES = 16


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidate pairs (source, target) of N nodes.

    Attributes
    ----------
    nodes : int
        N.
    mask : bool array of shape (N, N) or None
        The pairs that compete, where they are a mask.
    rules : tuple of pairs of bool arrays of shape (N,)
        Sources and targets of each rule; a pair competes if one rule has both. Rules need no
        N x N memory.
    exclude_self : bool
        Whether ``(i, i)`` is left out.
    """

    nodes: int
    mask: np.ndarray | None = None
    rules: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    exclude_self: bool = False

    def holds(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Whether pairs compete, a new array; the indices broadcast against each other."""
        shape = np.broadcast_shapes(sources.shape, targets.shape)
        inside = np.full(shape, not self.rules)
        if self.mask is not None:
            inside = np.asarray(self.mask[sources, targets])
        for from_, to in self.rules:
            inside |= from_[sources] & to[targets]
        if self.exclude_self:
            inside &= sources != targets
        return inside

    def rows(self, nodes: np.ndarray, axis: int = 0) -> np.ndarray:
        """Whether the pairs of these sources, or with axis 1 targets, compete: (nodes, N)."""
        here, others = nodes[:, None], np.arange(self.nodes)
        return self.holds(others, here) if axis else self.holds(here, others)


def candidate_pool(
    candidates: Any, nodes: int, *, exclude_self: bool, node_names: Sequence[str] | None
) -> Pool:
    """The pool of a mask, a rule, or a list of rules; None is all pairs.

    Parameters
    ----------
    candidates : None, bool array-like of shape (N, N), str, or sequence of str
        A rule such as ``"PROTEIN__* -> RNA__*"`` has a pattern of source names before the arrow
        and one of target names behind it, with the wildcards of `fnmatch`: ``*``, ``?`` and
        ``[...]``. Capitals matter.
    nodes : int
    exclude_self : bool
    node_names : sequence of str or None

    Raises
    ------
    TypeError, ValueError
        When the mask is not (N, N) bools, a rule has no arrow or matches no node, or rules come
        without names.

    Examples
    --------
    >>> pool = candidate_pool("P* -> R*", 3, exclude_self=False, node_names=["P1", "P2", "R1"])
    >>> pool.rows(np.array([0, 2]))
    array([[False, False,  True],
           [False, False, False]])
    """
    exclude_self = _validation.flag("exclude_self", exclude_self)
    if candidates is None:
        return Pool(nodes, exclude_self=exclude_self)
    if isinstance(candidates, str):
        candidates = [candidates]
    if isinstance(candidates, list | tuple) and all(isinstance(rule, str) for rule in candidates):
        if not candidates:
            raise ValueError("candidates must hold at least one rule; got none: None is all pairs")
        rules = tuple(_matched(rule, node_names) for rule in candidates)
        return Pool(nodes, rules=rules, exclude_self=exclude_self)
    return Pool(nodes, mask=_checked_mask(candidates, nodes), exclude_self=exclude_self)


def _checked_mask(candidates: Any, nodes: int) -> np.ndarray:
    wanted = "a mask of bools, or rules such as 'PROTEIN__* -> RNA__*'"
    mask = _validation.host_array("candidates", candidates, wanted)
    if mask.dtype != np.bool_:
        raise TypeError(
            f"candidates must be {wanted}; got dtype {mask.dtype}: compare first, for example "
            "mask > 0"
        )
    if mask.shape != (nodes, nodes):
        raise ValueError(
            f"candidates must have the shape of A, ({nodes}, {nodes}); got {mask.shape}: "
            "mark every pair, sources in rows and targets in columns"
        )
    return mask


def _matched(rule: str, names: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets that the patterns of a rule match."""
    patterns = [part.strip() for part in rule.split(_ARROW)]
    if len(patterns) != 2 or not all(patterns):
        raise ValueError(
            "candidates must be rules of two patterns with an arrow between them, such as "
            f"'PROTEIN__* -> RNA__*'; got {rule!r}"
        )
    if names is None:
        raise ValueError(f"candidates={rule!r} is about names of nodes: give node_names")
    sides = tuple(np.array([fnmatchcase(name, p) for name in names], bool) for p in patterns)
    for side, pattern in zip(sides, patterns, strict=True):
        if not side.any():
            raise ValueError(
                f"candidates must match nodes; {pattern!r} of {rule!r} matches none of "
                f"{_validation.listing(list(names), 3)}"
            )
    return sides[0], sides[1]


def listed(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each edge of (2, E) is among the others: bool array of shape (E,).

    >>> listed(np.array([[0, 1], [2, 2]]), np.array([[1], [2]]))
    array([False,  True])
    """
    if not others.size:
        return np.zeros(edges.shape[1], bool)
    width = 1 + max(int(part.max(initial=0)) for part in (edges, others))
    cells, known = (ends[0] * width + ends[1] for ends in (edges, others))
    known, order = np.sort(known), np.argsort(cells)
    # A third of the time of np.isin.
    place = np.searchsorted(known, cells[order])
    among = np.empty(len(cells), bool)
    among[order] = np.take(known, place, mode="clip") == cells[order]
    return among


def top_k(
    scores: np.ndarray, k: int | None, pool: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the k largest scores of each row, best first; ties by column.

    Parameters
    ----------
    scores : array of real numbers, shape (rows, columns)
        Without NaN.
    k : int or None
        Scores of each row, or all where there are fewer, or where k is None.
    pool : bool array of the same shape, optional
        The pairs to choose from.

    Returns
    -------
    rows, columns : int64 arrays
        Row after row; reshaped to (rows, k) where every row has k.

    Notes
    -----
    A partition finds the k-th score of each row, or for few of many scores one that is a little
    lower, and only what reaches it is sorted. Peak memory:
    a copy and a mask of the scores, and some 60 bytes for each score that reaches the k-th.

    Examples
    --------
    >>> top_k(np.array([[0.1, 0.9, 0.9, 0.3], [0.4, 0.2, 0.1, 0.5]]), 2)
    (array([0, 0, 1, 1]), array([1, 2, 3, 0]))
    """
    rows, columns = scores.shape
    reached = np.ones(scores.shape, bool) if pool is None else pool
    if k is not None and k < columns and scores.size:
        kind = scores.dtype
        lowest = -np.inf if kind.kind == "f" else np.iinfo(kind).min
        inside = scores if pool is None else np.where(pool, scores, kind.type(lowest))
        stretch = columns // (_STRETCHES * k)
        if stretch > 1:
            # The k-th largest score reaches the k-th largest maximum of any stretches.
            inside = inside[:, : columns // stretch * stretch].reshape(rows, -1, stretch).max(2)
        least = np.partition(inside, inside.shape[1] - k, axis=1)[:, inside.shape[1] - k, None]
        reached = reached & (scores >= least)
    # Backwards, so that the sort, stable and then reversed, leaves ties as they stood.
    cells = np.flatnonzero(reached)[::-1]
    values = scores.reshape(-1)[cells]
    if rows == 1:
        column = cells[np.argsort(values, kind="stable")[: -k - 1 if k else None : -1]]
        return np.zeros_like(column), column
    row, column = np.divmod(cells, columns)
    order = np.lexsort((values, -row))[::-1]
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    best = place < (columns if k is None else k)
    return row[best], column[best]
