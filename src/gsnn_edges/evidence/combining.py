"""Several matrices of evidence made one: their mean, or the mean of their ranks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges._validation import shown
from gsnn_edges.ranks import rankdata
from gsnn_edges.resampling import Moments

Floats = NDArray[np.float64]


def mean_and_deviation(matrices: Iterable[NDArray[Any]]) -> tuple[Floats, Floats | None]:
    """Mean and sample standard deviation (ddof = 1) of each cell, in float64 and in one pass.

    One matrix has no deviation: None. Peak memory is five float64 matrices.
    """
    matrices = iter(matrices)
    moments = Moments(np.array(next(matrices), np.float64))
    for matrix in matrices:
        moments.add(matrix)
    variance = moments.variance
    return moments.mean, None if variance is None else np.sqrt(variance)


def scaled_ranks(matrix: NDArray[Any]) -> Floats:
    """Rank all cells of a matrix: 0 for the weakest, 1 for the strongest, ties share a mean."""
    ranks = np.asarray(rankdata(matrix.reshape(-1, 1)), np.float64).reshape(matrix.shape)
    return (ranks - 1) / max(matrix.size - 1, 1)


def check_same(values: Mapping[str, Sequence[Any]]) -> None:
    """Reject members that differ in what they must share, naming what differs and how."""
    differences = [
        f"{name}: {', '.join(shown(value) for value in distinct(given))}"
        for name, given in values.items()
        if len(distinct(given)) > 1
    ]
    if differences:
        raise ValueError(
            "members must be of the same nodes and method; they differ in "
            f"{'; '.join(differences)}: combine those that agree"
        )


def scores_of(members: Iterable[Any]) -> dict[str, list[Any]]:
    """Give the scores of members that know theirs: each is on a scale of its own."""
    return {"score": [m.settings["score"] for m in members if "score" in m.settings]}


def shared(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep the entries that all mappings have alike."""
    first, *rest = mappings
    return {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in rest)
    }


def distinct(values: Sequence[Any]) -> list[Any]:
    """List each value once, in the order given."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
