"""The strongest pairs of nodes as a table, without those of a node with itself."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

COLUMNS = ("rank", "source", "target", "score")
# Rows that are put into words at a time: a name takes more than a number.
ROWS = 100_000


class Pairs(NamedTuple):
    """Pairs of nodes with their scores.

    Attributes
    ----------
    sources, targets : int64 arrays of shape (K,)
    scores : array of shape (K,)
    """

    sources: Any
    targets: Any
    scores: Any


def of_matrix(W: Any, top: int | None, threshold: float | None) -> Pairs:
    """Choose the best targets of each source, or the pairs that are far enough from 0."""
    import numpy as np

    if top is None:
        sources, targets = np.nonzero(abs(W) >= threshold)
        return without_self(Pairs(sources, targets, W[sources, targets]))
    count = min(top + 1, len(W))
    targets = np.argsort(-W, axis=1, kind="stable")[:, :count]
    return best(targets, np.take_along_axis(W, targets, axis=1), top)


def of_result(found: Any, top: int | None) -> Pairs:
    """Take the pairs that were gathered from a store."""
    if top is None:
        return without_self(Pairs(found.sources, found.targets, found.scores))
    return best(found.targets, found.scores, top)


def best(targets: Any, scores: Any, top: int) -> Pairs:
    """Give the first targets of each source but itself; both arrays have shape (N, k)."""
    import numpy as np

    sources = np.broadcast_to(np.arange(len(targets))[:, None], targets.shape)
    other = targets != sources
    kept = other & (np.cumsum(other, axis=1) <= top)
    return Pairs(sources[kept], targets[kept], scores[kept])


def without_self(pairs: Pairs) -> Pairs:
    """Leave out pairs of a node with itself."""
    other = pairs.sources != pairs.targets
    return Pairs(*(column[other] for column in pairs))


def write(out: str, pairs: Pairs, of: Any) -> int:
    """Write pairs, the largest score first, and give their number."""
    import numpy as np

    from gsnn_edges.cli.tables import write_parts

    if not len(pairs.scores):
        warnings.warn(f"no pair is so strong: {out!r} holds none", stacklevel=2)
    order = np.argsort(-pairs.scores, kind="stable")
    names = None if of.node_names is None else np.array(of.node_names, object)

    def parts() -> Iterator[dict[str, Any]]:
        for start in range(0, max(1, len(order)), ROWS):
            here = order[start : start + ROWS]
            ends = [side[here] for side in (pairs.sources, pairs.targets)]
            if names is not None:
                ends = [names[end] for end in ends]
            ranks = np.arange(start + 1, start + 1 + len(here))
            yield dict(zip(COLUMNS, (ranks, *ends, pairs.scores[here]), strict=True))

    write_parts(out, parts(), name="--out")
    return len(order)
