"""From observations to W: which score, over which layer pairs, on which backend."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from gsnn_edges import backends
from gsnn_edges._typing import Array, Device, Method, Precision, Score, Ties
from gsnn_edges.channels import correlate_channels
from gsnn_edges.correlation import correlate
from gsnn_edges.layer_pairs import chosen_pairs
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import resampled_correlations

ScoreChoice: TypeAlias = Literal["magnitude", "channels", "auto"]

SCORES: tuple[Score, ...] = ("magnitude", "channels")
SCORE_CHOICES = (*SCORES, "auto")


@dataclass(frozen=True)
class Scorer:
    """Everything that turns ``a`` and ``g`` into a matrix.

    Parameters
    ----------
    score, layers, n_components, method, ties, row_chunk
        As of `FunctionEdgeInferer.infer`; ``layers`` has been checked.
    pairs, nodes : int
        Layer pairs L - 1, and nodes N.
    columns : array of shape (C,)
        The node of each column of ``a`` and ``g``, for the channel score.
    where : dict
        Backend, device and precision of the correlation.
    """

    score: Score
    layers: str | int
    n_components: int | None
    method: Method
    ties: Ties
    row_chunk: int | None
    pairs: int
    nodes: int
    columns: Any
    where: dict[str, Any]

    def matrix(self, a: Array, g: Array) -> Array:
        """W of observations (M, ...), on the backend."""
        return mean(self.correlate(*part) for part in self.parts(a, g))

    def draws(self, a: Array, g: Array, counts: np.ndarray) -> Iterator[Array]:
        """W of each draw; ``counts`` (draws, samples) says how often each sample stands in it.

        The magnitude score with average ties only: `can_count`.
        """
        by_part = [
            resampled_correlations(
                *part,
                np.tile(counts, len(part[0]) // counts.shape[1]),
                self.options,
            )
            for part in self.parts(a, g)
        ]
        for matrices in zip(*by_part, strict=True):
            yield mean(matrices)

    @property
    def can_count(self) -> bool:
        """Whether draws can be ranked by counts, on one sort."""
        return self.score == "magnitude" and self.ties == "average"

    def parts(self, a: Array, g: Array) -> Iterable[tuple[Array, Array]]:
        """Give the observations of each matrix to average: all layer pairs at once, or each."""
        if self.layers == "pooled":  # of any number of samples
            return [(a, g)]
        return chosen_pairs(a, g, len(a) // self.pairs, self.layers)

    def correlate(self, a: Array, g: Array) -> Array:
        """One matrix, on the backend."""
        if self.score == "magnitude":
            return correlate(a, g, self.options)
        own, kept = self.columns, self.n_components
        return correlate_channels(a, g, own, own, self.options, nodes=self.nodes, n_components=kept)

    @property
    def options(self) -> CorrelationOptions:
        """How to correlate."""
        return CorrelationOptions(
            method=self.method, ties=self.ties, row_chunk=self.row_chunk, **self.where
        )


def backend_of(
    backend: str, device: Device, fallback: Device, precision: Precision
) -> dict[str, Any]:
    """Backend, device and precision; torch correlates where the model lies."""
    device = fallback if device is None and backend == "torch" else device
    return {"backend": backend, "device": device, "precision": precision}


def to_host(x: Array) -> np.ndarray:
    """Give an array as one of NumPy, to write to: JAX hands out its own memory."""
    return np.require(backends.of(x).to_numpy(x), requirements="W")


def mean(matrices: Iterable[Array]) -> Array:
    """Average without holding more than two of them; the first is used up."""
    matrices = iter(matrices)
    total, count = next(matrices), 1
    for matrix in matrices:
        total += matrix
        count += 1
    total /= count
    return total
