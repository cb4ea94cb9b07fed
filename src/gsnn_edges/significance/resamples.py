"""W of resampled samples, each of which comes with all its layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gsnn_edges import backends
from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.channels import correlate_channels
from gsnn_edges.correlation import correlate
from gsnn_edges.layer_pairs import chosen_pairs
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import resampled_correlations


@dataclass(frozen=True)
class Resamples:
    """The observations whose W is looked at, and how it is made of them.

    Attributes
    ----------
    parts
        ``(a, g)`` of each matrix whose mean is W, as `chosen_pairs` gives them, of ``ops``.
    samples : int
    nodes : dict or None
        Arguments of `channel_correlation` beside the usual ones; None where columns are nodes.
    options : CorrelationOptions
    """

    ops: Backend
    parts: list[tuple[Array, Array]]
    samples: int
    nodes: dict[str, Any] | None
    options: CorrelationOptions

    def observed(self) -> Array:
        """W of the samples as they are."""
        return average([self.score(*part) for part in self.parts])

    def score(self, a: Array, g: Array) -> Array:
        """One matrix."""
        if self.nodes is None:
            return correlate(a, g, self.options)
        return correlate_channels(a, g, **self.nodes, options=self.options)

    def drawn(self, counts: np.ndarray) -> Iterator[Array]:
        """W of each draw; ``counts`` (draws, samples) says how often each sample stands in it."""
        if self.nodes is not None:
            return (average([self.score(*rows) for rows in self.rows(row)]) for row in counts)
        each = [self.by_counts(*part, counts) for part in self.parts]
        return (average(matrices) for matrices in zip(*each, strict=True))

    def by_counts(self, a: Array, g: Array, counts: np.ndarray) -> Iterator[Array]:
        """Correlations of columns, which need no sort of a draw."""
        tiled = np.tile(counts, a.shape[0] // self.samples)
        return resampled_correlations(a, g, tiled, self.options)

    def rows(self, count: np.ndarray) -> Iterator[tuple[Array, Array]]:
        """Observations of one draw, part by part."""
        pick = np.repeat(np.arange(self.samples), count)
        for a, g in self.parts:
            starts = np.arange(0, a.shape[0], self.samples)[:, None]
            index = self.ops.adopt((starts + pick).reshape(-1))
            yield self.ops.xp.take(a, index, axis=0), self.ops.xp.take(g, index, axis=0)


def resamples_of(
    a: Array,
    g: Array,
    samples: int,
    choice: str | int,
    ops: Backend,
    nodes: dict[str, Any] | None,
    options: CorrelationOptions,
) -> Resamples:
    """Move both sides to the backend, and cut them as the chosen layer pairs need it."""
    a, g = (backends.move(x, ops) for x in (a, g))
    return Resamples(ops, chosen_pairs(a, g, samples, choice), samples, nodes, options)


def average(matrices: Any) -> Array:
    """Average a few matrices."""
    return reduce(add, matrices) / len(matrices)
