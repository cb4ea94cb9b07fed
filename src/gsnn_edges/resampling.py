"""Cross-correlations of resampled observations, on one sort of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import Columns, Kernel, check_values
from gsnn_edges.ranks import (
    FLOAT32_OBSERVATIONS,
    key_rows,
    on_ranker,
    rank_dtype,
    standardize_drawn,
)


def resampled_correlations(
    a: Array,
    g: Array,
    counts: np.ndarray,
    *,
    method: Method = "spearman",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str,
    device: Device = None,
) -> Iterator[Array]:
    """Give the cross-correlation of each draw of observations, with average ties.

    Each column is sorted once. A draw is how often each observation stands in it: ranks then need
    no sort, and products run over the observations that were drawn, each once.

    Parameters
    ----------
    a, g : arrays of shape (M, Na) and (M, Ng), as `cross_correlation` takes them
    counts : whole numbers of shape (draws, M)
        How often each observation stands in each draw; at least two in all of each draw.
    method, row_chunk, precision, backend, device
        As of `cross_correlation`.

    Yields
    ------
    array of shape (Na, Ng)
        What `cross_correlation` gives for the rows of a draw, within rounding.

    Notes
    -----
    Peak memory: that of `cross_correlation`, and once more the bytes of ``a`` and ``g``.
    """
    ops = backends.load(backend, device)
    check_values("a", a, ops)
    check_values("g", g, ops)
    if counts.sum(axis=1).max() >= FLOAT32_OBSERVATIONS:
        precision = "float64"
    engine = ops.ranker()
    inputs = [(prepared(x, engine, method), shift) for x, shift in ((a, False), (g, True))]
    width = np.count_nonzero(counts, axis=1).max()
    for count in counts:
        pick, weights = (engine.adopt(x) for x in picked(count, width))
        left, right = (
            DrawnColumns(x, ops, method, "average", precision, shift, pick, weights)
            for x, shift in inputs
        )
        yield Kernel(ops, precision).run(left, right, row_chunk)


def prepared(x: Array, engine: Backend, method: Method) -> Array:
    """Columns as rows, contiguous; for Spearman as whole numbers in the order of their values."""
    rows = backends.move(x.T, engine)
    if method == "pearson":
        return engine.map_rows(as_they_are, rows, _validation.dtype_name(rows))
    wide = rank_dtype(engine.xp, rows.dtype, rows.shape[1])
    return engine.map_rows(key_rows, rows, "int32", rank_dtype=wide)


def as_they_are(x: Array, *, ops: Backend, dtype: str) -> Array:
    """Give the rows themselves."""
    return x


def picked(count: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations that were drawn, and how often; padded to the width of the widest draw.

    JAX compiles for each width. What is added stands there 0 times, and was drawn, so that it is
    no extreme of its own.
    """
    drawn = np.flatnonzero(count)
    pick, weights = np.full(width, drawn[0]), np.zeros(width, np.float32)
    pick[: len(drawn)] = drawn
    weights[: len(drawn)] = count[drawn]
    return pick, weights


@dataclass(frozen=True)
class DrawnColumns(Columns):
    """What `prepared` gave, of which a draw takes some columns, and some of them several times."""

    pick: Array
    weights: Array

    @property
    def count(self) -> int:
        """Number of nodes."""
        return int(self.x.shape[0])

    @property
    def observations(self) -> int:
        """Length of a row."""
        return int(self.pick.shape[0])

    def rows(self, low: int, high: int) -> Array:
        """Standardized rows of the observations that were drawn."""
        drawn = self.ops.ranker().xp.take(self.x[low:high, :], self.pick, axis=1)
        return on_ranker(
            standardize_drawn,
            drawn,
            self.ops,
            self.precision,
            self.weights,
            method=self.method,
            shift=self.shift,
            length=self.x.shape[1],
        )
