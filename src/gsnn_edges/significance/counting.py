"""The chunk loop of a permutation test: products of permuted rows, counted where they are made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from gsnn_edges._progress import track
from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.channels import norms_of_nodes
from gsnn_edges.chunks import Chunks, raise_explained
from gsnn_edges.correlation import Operand, chunks_of
from gsnn_edges.layer_pairs import layer_sums
from gsnn_edges.significance.layers import ROUNDING, each_layer, permuted, within_layers

# Rows of sources and of targets that are multiplied at a time on the host, so that products are
# still in cache when they are counted. A device counts large blocks at the speed of its memory.
HOST_ROWS = (1024, 4096)


@dataclass
class Counting:
    """Counts of permutations for every pair; `run` fills the tables block by block.

    Permutations are the innermost loop, so that nothing but a block is held for each.

    Attributes
    ----------
    orders : ndarray of shape (permutations, samples)
        Of the samples of targets.
    apart : bool
        Whether W is the mean over layer pairs, each standardized by itself; else all are pooled.
    statistic, null_mean, exceedances, maxima, candidates
        As of `PermutationTest`.
    """

    sources: Operand
    targets: Operand
    orders: np.ndarray
    layers: int
    apart: bool
    two_sided: bool
    candidates: np.ndarray | None

    def __post_init__(self) -> None:
        self.ops = self.sources.ops
        self.channels = self.sources.members is not None
        shape = self.sources.count, self.targets.count
        dtype = getattr(self.ops.xp, self.sources.dtype)
        self.statistic = self.ops.empty(shape, dtype)
        self.null_mean = None
        if not self.channels:
            # Of a layer that is ranked by itself no part is left to the differences of layers.
            self.null_mean = self.ops.xp.zeros(shape, dtype=dtype, device=self.ops.device)
        self.exceedances = self.ops.empty(shape, self.ops.xp.int32)
        self.maxima = np.full(len(self.orders), -np.inf)

    def run(self, verbose: bool) -> None:
        """Fill the tables."""
        chunks, tile = self.sizes()
        total = len(self.orders) * sum(
            len(list(windows(right - left, tile))) * len(list(self.source_windows(chunks)))
            for left, right in windows(self.targets.count, chunks.targets)
        )
        try:
            for _ in track(self.steps(chunks, tile), total, "permutations", verbose=verbose):
                pass
        except Exception as error:
            raise_explained(error, chunks, self.ops)

    def sizes(self) -> tuple[Chunks, int]:
        """Choose how many sources and targets are on the device, and targets at a time."""
        widths = self.sources.width, self.targets.width
        chunks = chunks_of(self.sources, self.targets)
        if self.ops.ranker().name != "numpy":
            return chunks, chunks.targets
        sources, tile = (
            max(1, rows // max(1, width)) for rows, width in zip(HOST_ROWS, widths, strict=True)
        )
        if self.sources.options.row_chunk is None:
            chunks = replace(chunks, sources=min(chunks.sources, sources))
        return chunks, tile

    def source_windows(self, chunks: Chunks) -> Iterator[tuple[int, int]]:
        """Give the bounds of each chunk of sources."""
        return windows(self.sources.count, chunks.sources)

    def steps(self, chunks: Chunks, tile: int) -> Iterator[None]:
        """Do the work, and pause after each permutation of each block."""
        width = self.targets.width
        for left, right in windows(self.targets.count, chunks.targets):
            rows = self.targets.rows(left, right)
            for top, bottom in self.source_windows(chunks):
                block = self.sources.rows(top, bottom)
                for low, high in windows(right - left, tile):
                    yield from self.count(
                        block, rows[low * width : high * width, :], top, left + low
                    )

    def count(self, block: Array, rows: Array, top: int, left: int) -> Iterator[None]:
        """Count the permutations in which the pairs of a block deviate as much as they do."""
        ops = self.ops
        block = self.prepared(block, rows, top, left)
        observed = self.score(block, rows)
        self.write_statistic(observed, top, left)
        least = self.deviation(observed) - ROUNDING[self.sources.dtype]
        competing = self.competing(top, left, observed.shape)
        least_of_all = ops.xp.full_like(observed[:1, :1], -float("inf"))
        count = ops.xp.zeros(observed.shape, dtype=ops.xp.int32, device=ops.device)
        for number, order in enumerate(self.orders):
            # Sources in the inverse order stand beside targets as targets in that order would.
            back = ops.adopt(np.argsort(order))
            moved = ops.call(permuted, block, back, layers=self.layers)
            found = self.deviation(self.score(moved, rows))
            count = ops.call(counted, count, found, least)
            if competing is not None:
                found = ops.xp.where(competing, found, least_of_all)
            self.maxima[number] = max(self.maxima[number], float(ops.xp.max(found)))
            yield
        self.exceedances = ops.write(self.exceedances, count, top, left)

    def prepared(self, block: Array, rows: Array, top: int, left: int) -> Array:
        """Give sources whose `score` is compared."""
        if self.apart:
            return block / self.layers  # so that a sum over layers is their mean
        return block if self.channels else self.without_null_mean(block, rows, top, left)

    def without_null_mean(self, block: Array, rows: Array, top: int, left: int) -> Array:
        """Give sources whose products are deviations from the null mean, which is written.

        Centring the sources within layers is enough, and leaves the targets shifted.
        """
        ops = self.ops
        sums = (ops.call(layer_sums, x, layers=self.layers) for x in (block, rows))
        mean = ops.matmul(*sums) / self.orders.shape[1]
        self.null_mean = ops.write(self.null_mean, mean, top, left)
        return ops.call(within_layers, block, layers=self.layers)

    def write_statistic(self, observed: Array, top: int, left: int) -> None:
        """Write W of a block: deviations and null mean together."""
        if self.null_mean is not None:
            height, width = observed.shape
            mean = self.null_mean[top : top + height, left : left + width]
            observed = self.ops.xp.clip(observed + mean, -1, 1)
        self.statistic = self.ops.write(self.statistic, observed, top, left)

    def competing(self, top: int, left: int, shape: tuple[int, ...]) -> Array | None:
        """Give the candidates of a block, or None where all pairs compete."""
        if self.candidates is None:
            return None
        return self.ops.adopt(self.candidates[top : top + shape[0], left : left + shape[1]])

    def score(self, block: Array, rows: Array) -> Array:
        """Give one number for each pair of nodes; norms are taken layer by layer, if apart."""
        if not self.channels:
            return self.ops.matmul(block, rows)
        both = (each_layer(x, self.layers if self.apart else 1) for x in (block, rows))
        products = (self.ops.matmul(*pair) for pair in zip(*both, strict=True))
        return reduce(add, (norms_of_nodes(part, self.sources, self.targets) for part in products))

    def deviation(self, values: Array) -> Array:
        """Give what is compared."""
        return self.ops.xp.abs(values) if self.two_sided else values


def counted(count: Array, found: Array, least: Array, *, ops: Backend) -> Array:
    """Add one where ``found`` is at least ``least``."""
    return count + ops.xp.astype(found >= least, count.dtype)
