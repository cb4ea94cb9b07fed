"""Permutation tests that keep layers and samples together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._tables import as_arrays
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.channels import norms_of_nodes, optional_tables
from gsnn_edges.chunks import Chunks, raise_explained
from gsnn_edges.correlation import (
    Operand,
    backend_and_dtype,
    chunks_of,
    layer_bounds,
    row_pairs,
    tiles,
)
from gsnn_edges.layer_pairs import (
    LayerChoice,
    by_layer,
    checked_layers,
    checked_pairs,
    chosen_pairs,
    layer_sums,
)
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.significance.analytic import ROUNDING, candidate_mask, within_layers

_ALTERNATIVES = ("two-sided", "greater")


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Result of `permutation_test`.

    Attributes
    ----------
    statistic : array of shape (N, N)
        W of `cross_correlation`, or of `channel_correlation` where nodes were given; of the
        layer pairs that ``choice`` says.
    null_mean : array of shape (N, N), or None
        Mean of W over all permutations of the samples, exact: the part of a pooled W that
        differences between layers make; 0 where layers are not pooled. None for the channel
        score.
    exceedances : int32 array of shape (N, N)
        Permutations in which the pair deviated as much as it does, or more.
    maxima : ndarray of shape (n_resamples,)
        Largest deviation over all candidates, of each permutation.
    candidates : bool ndarray of shape (N, N), or None
        Pairs that compete for ``maxima``; None for all.
    n_resamples, samples, layers : int
        ``layers`` is the number of layer pairs.
    choice : "pooled", "mean", "last" or int
        The layer pairs that W is of.
    seed : int or None
    alternative, method : str
    """

    statistic: Array
    null_mean: Array | None
    exceedances: Array
    maxima: np.ndarray
    candidates: np.ndarray | None
    n_resamples: int
    samples: int
    layers: int
    choice: str | int
    seed: int | None
    alternative: str
    method: str

    @property
    def deviation(self) -> Array:
        """What is compared: W - null mean, absolute if two-sided; or the channel score itself."""
        if self.null_mean is None:
            return self.statistic
        deviation = self.statistic - self.null_mean
        two_sided = self.alternative == "two-sided"
        return backends.of(deviation).xp.abs(deviation) if two_sided else deviation

    @property
    def p(self) -> Array:
        """p-value of each pair, (N, N), made anew at each access."""
        return self._as_p(self.exceedances)

    @property
    def p_familywise(self) -> Array:
        """p-value against the largest of all candidates, (N, N), made anew at each access.

        NaN for pairs that are no candidates.
        """
        ops = backends.of(self.statistic)
        dtype = _validation.dtype_name(self.statistic)
        maxima = ops.adopt(np.sort(self.maxima).astype(dtype))
        flat = ops.xp.reshape(self.deviation - ROUNDING[dtype], (-1,))
        below = ops.xp.reshape(ops.xp.searchsorted(maxima, flat), self.statistic.shape)
        p = self._as_p(self.n_resamples - below)
        if self.candidates is None:
            return p
        return ops.xp.where(ops.adopt(self.candidates), p, ops.xp.full_like(p, float("nan")))

    def _as_p(self, exceedances: Array) -> Array:
        """Count the observed order as one of the permutations: never 0."""
        xp = backends.of(self.statistic).xp
        return (xp.astype(exceedances, self.statistic.dtype) + 1) / (self.n_resamples + 1)


def permutation_test(
    a: Array,
    g: Array,
    samples: int,
    *,
    a_nodes: Any = None,
    g_nodes: Any = None,
    nodes: int | None = None,
    layers: LayerChoice = None,
    n_components: int | None = None,
    candidates: Any = None,
    n_resamples: int = 200,
    seed: int | None = None,
    alternative: str = "two-sided",
    method: Method = "spearman",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
    verbose: bool = False,
) -> PermutationTest:
    """Test every correlation against those of permuted samples.

    Null hypothesis: samples are exchangeable between ``a`` and ``g``. One permutation of the
    samples is applied to ``g`` in all layers alike, so that whatever layers share, within ``a``
    and within ``g``, stays. Average ties only: ordinal ranks follow the order of the rows, which
    no permutation of them would leave.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Na) and (M, Ng)
        Row ``l * samples + b`` is layer pair l, sample b. Both of one library, on one device.
    samples : int
        B, at least 3; it divides M.
    a_nodes, g_nodes : array-like of whole numbers, optional
        The node of each column: the statistic is then that of `channel_correlation`, and
        ``alternative`` must be "greater".
    nodes : int, optional
        Number of nodes; see `channel_correlation`.
    layers : {"pooled", "mean", "last"} or int, optional
        As of `FunctionEdgeInferer.fit`: rank all layer pairs together, average their scores, or
        take one of them. By default "pooled", and "mean" with ``a_nodes``: the statistic is then
        the W that `fit` and `infer` give by the same settings.
    n_components : int, optional
        With ``a_nodes``: see `channel_correlation`.
    candidates : array-like of bool, shape (N, N), optional
        Pairs that may be edges at all: only these compete for the largest deviation of a
        permutation, and only they get a ``p_familywise``. By default all.
    n_resamples : int
        P; no p-value is below 1 / (P + 1).
    seed : int, optional
        Of the permutations. Without it they differ from call to call.
    alternative : {"two-sided", "greater"}
        Compare ``|W - null_mean|`` or ``W - null_mean``; a norm has no sign.
    method, row_chunk, precision, backend, device
        As of `cross_correlation`.
    verbose : bool
        Show progress on standard error.

    Returns
    -------
    PermutationTest
        With ``statistic``, ``p``, ``p_familywise``, ``null_mean``, ``exceedances``.

    Raises
    ------
    TypeError, ValueError, ImportError, MemoryError
        As `cross_correlation` and `channel_correlation`; and for ``samples`` that is below 3
        or does not divide the rows, fewer than one permutation, or an unknown ``alternative``.

    Notes
    -----
    ``p = (1 + exceedances) / (1 + P)`` [1]_, so that the test keeps its level for any P.
    ``p_familywise`` compares each pair with the maximum over all candidates, permutation by
    permutation (maxT of Westfall and Young [2]_): rejecting where it is at most 0.05 makes one
    false claim or more in 5% of experiments at most, if no candidate has an effect.

    Permuted values that are larger within rounding (2e-6, or 2e-9 in float64) count as
    exceedances. A constant column has W = 0 and p = 1; so has one that does not vary within
    layers. NaN and infinity are an error.

    A pooled norm holds the levels of layers, in the data and in all permutations alike. So p is
    honest, but effects across or against what levels make of a block hardly move its norm, or
    lower it: ``layers="mean"`` sees them.

    Ranks are made once; a permutation is a gather of sources and one product, or for averaged
    norms one a layer pair. Permuting the samples of ``a`` by an order is permuting those of ``g``
    by its inverse. Eager only: it does not run under ``jax.jit``. Peak memory: that of
    `cross_correlation`, two more arrays of the size of W, twice the memory of its chunk, and 16
    bytes for each sample of each permutation.

    References
    ----------
    .. [1] B. Phipson, G. K. Smyth (2010). Permutation p-values should never be zero. Statistical
       Applications in Genetics and Molecular Biology 9(1), 39.
    .. [2] P. H. Westfall, S. S. Young (1993). Resampling-based multiple testing. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a, g = rng.standard_normal((2, 300, 3))  # 3 layers of 100 samples
    >>> g[:, 1] += a[:, 0]
    >>> found = permutation_test(a, g, 100, n_resamples=99, seed=0)
    >>> np.argwhere(found.p <= 0.01).tolist()
    [[0, 1]]
    """
    options = CorrelationOptions(
        method=method, row_chunk=row_chunk, precision=precision, backend=backend, device=device
    )
    a, g = as_arrays(a=a, g=g)
    pairs = checked_pairs(a, g, samples)
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    tables = optional_tables(a, g, a_nodes, g_nodes, nodes, n_components)
    choice = checked_layers(layers, "channels" if tables else "magnitude", pairs)
    _check_alternative(alternative, channels=tables is not None)
    if choice not in ("pooled", "mean"):
        ((a, g),) = chosen_pairs(a, g, samples, choice)
    library, dtype = backend_and_dtype(a, g, options)
    ops = library.ranker()
    n_resamples = _validation.whole_number("n_resamples", n_resamples, least=1)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    generator = np.random.default_rng(seed)
    alone = 1 if choice == "pooled" else a.shape[0] // samples
    left, right = tables or (None, None)
    # Shifted targets keep the digits of their products; directions are those of centred rows.
    shift = n_components is None
    sources = Operand(a, ops, dtype, options, False, left, n_components, alone)
    targets = Operand(g, ops, dtype, options, shift, right, n_components, alone)
    if candidates is not None:
        candidates = candidate_mask(candidates, (sources.count, targets.count))
    counting = _Counting(
        sources=sources,
        targets=targets,
        orders=np.stack([generator.permutation(samples) for _ in range(n_resamples)]),
        pooled=choice == "pooled",
        two_sided=alternative == "two-sided",
        candidates=candidates,
    )
    counting.run(verbose)
    found = counting.statistic, counting.null_mean, counting.exceedances
    statistic, null_mean, exceedances = (
        x if x is None or ops is library else library.take_over(x) for x in found
    )
    return PermutationTest(
        statistic=statistic,
        null_mean=null_mean,
        exceedances=exceedances,
        maxima=counting.maxima,
        candidates=candidates,
        n_resamples=n_resamples,
        samples=samples,
        layers=pairs,
        choice=choice,
        seed=seed,
        alternative=alternative,
        method=method,
    )


def _check_alternative(alternative: str, *, channels: bool) -> None:
    _validation.choice("alternative", alternative, _ALTERNATIVES)
    if channels and alternative != "greater":
        raise ValueError(
            f"alternative must be 'greater' with a_nodes and g_nodes, as a norm has no sign; got "
            f"{alternative!r}"
        )


@dataclass
class _Tile:
    """Targets that are multiplied at once, and for each pair what counts and how often it did."""

    rows: Array
    left: int
    least: Array
    competing: Array | None
    count: Array


@dataclass
class _Counting:
    """Counts of permutations for every pair; `run` fills the tables block by block.

    Permutations are the innermost loop, so that nothing but a block is held for each.

    Attributes
    ----------
    orders : int array of shape (permutations, samples)
        Of the samples of targets.
    pooled : bool
        Whether all layers are ranked together; else W is the mean over layers.
    statistic, null_mean, exceedances, maxima, candidates
        As of `PermutationTest`.
    """

    sources: Operand
    targets: Operand
    orders: np.ndarray
    pooled: bool
    two_sided: bool
    candidates: np.ndarray | None

    def __post_init__(self) -> None:
        ops = self.ops = self.sources.ops
        self.channels = self.sources.members is not None
        self.layers = self.sources.observations // self.orders.shape[1]
        shape = self.sources.count, self.targets.count
        dtype = getattr(ops.xp, self.sources.dtype)
        self.statistic = ops.empty(shape, dtype)
        # 0 of layers that are ranked by themselves: no part is left to their differences.
        zeros = None if self.channels else ops.xp.zeros(shape, dtype=dtype, device=ops.device)
        self.null_mean = zeros
        self.exceedances = ops.empty(shape, ops.xp.int32)
        self.maxima = np.full(len(self.orders), -np.inf)

    def run(self, verbose: bool) -> None:
        """Fill the tables."""
        chunks, tile = chunks_of(self.sources, self.targets), self.ops.tile_rows
        if tile is not None and self.sources.options.row_chunk is None:
            # Permuted, the sources should still be in cache.
            few = max(1, tile // max(1, self.sources.width))
            chunks = replace(chunks, sources=min(chunks.sources, few))
        sides = (self.sources.count, chunks.sources), (self.targets.count, chunks.targets)
        blocks = math.prod(len(list(windows(*side))) for side in sides)
        steps, total = self._steps(chunks), blocks * len(self.orders)
        try:
            for _ in track(steps, total, "permutations", verbose=verbose):
                pass
        except Exception as error:
            raise_explained(error, chunks, self.ops)

    def _steps(self, chunks: Chunks) -> Iterator[None]:
        """Do the work, and pause after each permutation of each block."""
        ops = self.ops
        for top, left, block, rows in row_pairs(self.sources, self.targets, chunks):
            if not self.pooled:
                block = block / self.layers  # so that a sum over layers is their mean
            elif not self.channels:
                block = self._without_null_mean(block, rows, top, left)
            parts = [
                self._observed(block, part, top, left + low)
                for low, part in tiles(rows, self.targets)
            ]
            for number, order in enumerate(self.orders):
                # Sources in the inverse order stand beside targets as targets in that order would.
                back = ops.adopt(np.argsort(order))
                moved = ops.call(_permuted, block, back, layers=self.layers)
                largest = (self._count(moved, part) for part in parts)
                self.maxima[number] = max(self.maxima[number], *largest)
                yield
            for part in parts:
                self.exceedances = ops.write(self.exceedances, part.count, top, part.left)
            del block, rows, parts, moved

    def _observed(self, block: Array, rows: Array, top: int, left: int) -> "_Tile":
        """Write the statistic of a tile, and begin to count its permutations."""
        ops = self.ops
        observed = self._score(block, rows)
        height, width = observed.shape
        place = slice(top, top + height), slice(left, left + width)
        whole = observed
        if self.null_mean is not None:
            whole = ops.xp.clip(observed + self.null_mean[place], -1, 1)
        self.statistic = ops.write(self.statistic, whole, top, left)
        least = self._deviation(observed) - ROUNDING[self.sources.dtype]
        competing = None if self.candidates is None else ops.adopt(self.candidates[place])
        count = ops.xp.zeros(observed.shape, dtype=ops.xp.int32, device=ops.device)
        return _Tile(rows, left, least, competing, count)

    def _count(self, moved: Array, tile: "_Tile") -> float:
        """Count the pairs of a tile that deviate as much as observed; return the largest."""
        ops = self.ops
        deviation = self._deviation(self._score(moved, tile.rows))
        tile.count = ops.call(_counted, tile.count, deviation, tile.least)
        if tile.competing is not None:
            none = ops.xp.full_like(deviation[:1, :1], -float("inf"))
            deviation = ops.xp.where(tile.competing, deviation, none)
        return float(ops.xp.max(deviation))

    def _without_null_mean(self, block: Array, rows: Array, top: int, left: int) -> Array:
        """Sources whose products are deviations from the null mean, which is written.

        Centring the sources within layers is enough, and leaves the targets shifted.
        """
        ops = self.ops
        sums = (ops.call(layer_sums, x, layers=self.layers) for x in (block, rows))
        mean = ops.matmul(*sums) / self.orders.shape[1]
        self.null_mean = ops.write(self.null_mean, mean, top, left)
        return ops.call(within_layers, block, layers=self.layers)

    def _score(self, block: Array, rows: Array) -> Array:
        """One number for each pair of nodes; norms are taken layer by layer, if not pooled."""
        if not self.channels:
            return self.ops.matmul(block, rows)
        bounds = layer_bounds(block.shape[1], self.sources.layers)
        products = (self.ops.matmul(block[:, low:high], rows[:, low:high]) for low, high in bounds)
        return reduce(add, (norms_of_nodes(part, self.sources, self.targets) for part in products))

    def _deviation(self, values: Array) -> Array:
        return self.ops.xp.abs(values) if self.two_sided else values


def _permuted(rows: Array, order: Array, *, ops: Backend, layers: int) -> Array:
    """Rows with their samples in another order, the same one in every layer."""
    return ops.xp.reshape(ops.reordered(by_layer(rows, ops, layers), order), rows.shape)


def _counted(count: Array, deviation: Array, least: Array, *, ops: Backend) -> Array:
    """Add one where the deviation is at least ``least``."""
    return count + ops.xp.astype(deviation >= least, count.dtype)
