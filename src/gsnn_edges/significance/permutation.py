"""Permutation tests that keep layers and samples together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device, Method, Precision, Score
from gsnn_edges.correlation import Operand, backend_and_dtype
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.significance.adjustment import candidate_mask
from gsnn_edges.significance.counting import Counting
from gsnn_edges.significance.layers import ROUNDING
from gsnn_edges.significance.sides import checked_tables, score_of, taken

ALTERNATIVES = ("two-sided", "greater")


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """What `permutation_test` found.

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
        return self.as_p(self.exceedances)

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
        p = self.as_p(self.n_resamples - below)
        if self.candidates is None:
            return p
        return ops.xp.where(ops.adopt(self.candidates), p, ops.xp.full_like(p, float("nan")))

    def as_p(self, exceedances: Array) -> Array:
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
    by its inverse. Eager only: it does
    not run under ``jax.jit``. Peak memory: that of `cross_correlation`, two more arrays of the
    size of W, and twice the memory of its chunk.

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
    score = score_of(a_nodes, g_nodes)
    a, g, pairs, choice, apart = taken(a, g, samples, layers, score)
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    table = checked_tables(a, g, a_nodes, g_nodes, nodes, n_components)
    check_alternative(alternative, score)
    ops, dtype = backend_and_dtype(a, g, options)
    n_resamples = _validation.whole_number("n_resamples", n_resamples, least=1)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    # Shifted targets keep the digits of their products; directions are those of centred rows.
    left, right = table or (None, None)
    shift, layers_apart = n_components is None, apart or 1
    sources = Operand(a, ops, dtype, options, False, left, n_components, layers_apart)
    targets = Operand(g, ops, dtype, options, shift, right, n_components, layers_apart)
    if candidates is not None:
        candidates = candidate_mask(candidates, (sources.count, targets.count))
    counting = Counting(
        sources=sources,
        targets=targets,
        orders=drawn_orders(samples, n_resamples, seed),
        layers=pairs if apart is None else apart,
        apart=apart is not None,
        two_sided=alternative == "two-sided",
        candidates=candidates,
    )
    counting.run(verbose)
    return PermutationTest(
        statistic=counting.statistic,
        null_mean=counting.null_mean,
        exceedances=counting.exceedances,
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


def check_alternative(alternative: str, score: Score) -> None:
    """Reject what is no alternative, or none of a norm."""
    _validation.choice("alternative", alternative, ALTERNATIVES)
    if score == "channels" and alternative != "greater":
        raise ValueError(
            f"alternative must be 'greater' with a_nodes and g_nodes, as a norm has no sign; got "
            f"{alternative!r}"
        )


def drawn_orders(samples: int, n_resamples: int, seed: int | None) -> np.ndarray:
    """Draw orders of the samples of ``g``: (n_resamples, samples)."""
    generator = np.random.default_rng(seed)
    return np.stack([generator.permutation(samples) for _ in range(n_resamples)])
