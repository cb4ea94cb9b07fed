"""Warnings about queries that are legal, and surely not meant."""

import warnings

import numpy as np


def warn_of_queries(caller: str, queries: np.ndarray, truths: np.ndarray, *, square: bool) -> None:
    """Warn of queries that are self-edges, and of queries that are no true edges.

    The warnings name the line that called the public function ``caller``.
    """
    total = queries.shape[1]
    selves = int(np.count_nonzero(queries[0] == queries[1])) if square else 0
    if selves:
        warnings.warn(
            f"{caller}: {selves} of the {total} edges in edge_index are self-edges, from a node "
            "to itself: drop them unless self-edges are what you look for",
            stacklevel=3,
        )
    strays = int(np.count_nonzero(~listed(queries, truths)))
    if strays:
        warnings.warn(
            f"{caller}: {strays} of the {total} edges in edge_index are missing from "
            "all_true_edges, so they compete as false edges with the queries of the same node: "
            "add them to all_true_edges",
            stacklevel=3,
        )


def warn_of_lone_queries(caller: str, candidates: np.ndarray) -> None:
    """Warn of queries that are ranked among themselves alone."""
    lone = int(np.count_nonzero(candidates == 1))
    if lone:
        warnings.warn(
            f"{caller}: {lone} of the {len(candidates)} rankings hold no candidate but the query, "
            "which is rank 1 of 1 whatever the scores: drop these edges, or widen candidates",
            stacklevel=3,
        )


def warn_of_one_unit(caller: str, units: np.ndarray) -> None:
    """Warn where resampling gives the same again and again."""
    if not units.any():
        warnings.warn(
            f"{caller}: one query or cluster has no spread, so the intervals are nan: give more "
            "queries, or skip the intervals by n_resamples=None",
            stacklevel=3,
        )


def listed(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell which edges (2, E) are among the others: bool array of shape (E,).

    >>> listed(np.array([[0, 1], [2, 2]]), np.array([[1], [2]]))
    array([False,  True])
    """
    width = 1 + max((int(part.max()) for part in (edges, others) if part.size), default=0)
    cells, known = (ends[0] * width + ends[1] for ends in (edges, others))
    return found_in(cells, np.sort(known))


def found_in(cells: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Tell which whole numbers are among others, which rise: several times as fast as np.isin.

    Sorted ones are searched near to each other.
    """
    if known.size == 0:
        return np.zeros(cells.shape, bool)
    order = np.argsort(cells)
    rising = cells[order]
    found = np.empty(cells.shape, bool)
    found[order] = np.take(known, np.searchsorted(known, rising), mode="clip") == rising
    return found
