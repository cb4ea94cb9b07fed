"""Which pairs of nodes compete: all, a mask, or rules over node names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from gsnn_edges import _validation

ARROW = "->"
Rule = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidate pairs (source, target) of N nodes.

    Attributes
    ----------
    nodes : int
        N.
    mask : bool array of shape (N, N) or None
        The pairs that compete, where they came as a mask.
    rules : tuple of pairs of bool arrays of shape (N,)
        Sources and targets of each rule; a pair competes if one rule has both. Rules need no
        N x N memory.
    exclude_self : bool
        Whether ``(i, i)`` is left out.
    """

    nodes: int
    mask: np.ndarray | None = None
    rules: tuple[Rule, ...] = ()
    exclude_self: bool = False

    def rows(self, anchors: np.ndarray, axis: int) -> np.ndarray:
        """Mark the pairs of these sources, or with axis 1 targets: (anchors, N), a new array."""
        if self.mask is not None:
            taken = np.take(self.mask, anchors, axis=axis)
            rows = np.ascontiguousarray(taken.T) if axis else taken
        else:
            rows = np.full((len(anchors), self.nodes), not self.rules)
        for rule in self.rules:
            rows |= rule[axis][anchors, None] & rule[1 - axis]
        if self.exclude_self:
            rows[np.arange(len(anchors)), anchors] = False
        return rows

    def holds(self, edges: np.ndarray) -> np.ndarray:
        """Tell which edges (2, E) are in the pool: bool array of shape (E,)."""
        sources, targets = edges
        inside = np.full(len(sources), self.mask is None and not self.rules)
        if self.mask is not None:
            inside = self.mask[sources, targets]
        for from_, to in self.rules:
            inside = inside | (from_[sources] & to[targets])
        return np.asarray(inside & ~(self.exclude_self & (sources == targets)))


def pool_of(
    candidates: Any, nodes: int, *, exclude_self: bool, node_names: Sequence[str] | None
) -> Pool:
    """Make the pool of a mask, a rule, or a list of rules; None is all pairs.

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
    >>> pool = pool_of("P* -> R*", 3, exclude_self=False, node_names=["P1", "P2", "R1"])
    >>> pool.rows(np.array([0, 2]), 0)
    array([[False, False,  True],
           [False, False, False]])
    """
    exclude_self = _validation.flag("exclude_self", exclude_self)
    if candidates is None:
        return Pool(nodes, exclude_self=exclude_self)
    rules = rule_texts(candidates)
    if rules:
        found = tuple(matched(rule, node_names) for rule in rules)
        return Pool(nodes, rules=found, exclude_self=exclude_self)
    return Pool(nodes, mask=checked_mask(candidates, nodes), exclude_self=exclude_self)


def rule_texts(candidates: Any) -> list[str]:
    """Give the rules as a list; an empty one where the candidates are no rules."""
    if isinstance(candidates, str):
        return [candidates]
    if isinstance(candidates, list | tuple) and all(isinstance(rule, str) for rule in candidates):
        if not candidates:
            raise ValueError("candidates must hold at least one rule; got none: None is all pairs")
        return list(candidates)
    return []


def checked_mask(candidates: Any, nodes: int) -> np.ndarray:
    """Reject what is not a mask of all pairs."""
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


def matched(rule: str, names: Sequence[str] | None) -> Rule:
    """Find the sources and the targets of a rule."""
    patterns = [part.strip() for part in rule.split(ARROW)]
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


def checked_names(node_names: Any, nodes: int) -> tuple[str, ...] | None:
    """Give the names as a tuple of N strings."""
    if node_names is None:
        return None
    if not isinstance(node_names, Iterable) or isinstance(node_names, Mapping):
        raise TypeError(
            f"node_names must be a list of strings; got {type(node_names).__name__}: list the "
            "names of the nodes of A, in its order"
        )
    names = tuple(node_names)
    strange = [name for name in names if not isinstance(name, str)]
    if isinstance(node_names, str) or strange:
        got = node_names if isinstance(node_names, str) else strange[0]
        raise TypeError(f"node_names must be a list of strings; got {got!r}: map it to str first")
    if len(names) != nodes:
        raise ValueError(
            f"node_names must name each of the {nodes} nodes of A, in its order; got {len(names)}"
        )
    return tuple(str(name) for name in names)
