"""Bootstrap intervals of correlations, by resampling samples with all their layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import backend_and_dtype
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import Moments, drawn_counts
from gsnn_edges.significance.analytic import atanh
from gsnn_edges.significance.distributions import normal_quantile
from gsnn_edges.significance.resamples import resamples_of
from gsnn_edges.significance.sides import checked_tables, score_of, taken


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """What `bootstrap_interval` found; arrays of shape (Na, Ng), or (N, N) of nodes.

    Attributes
    ----------
    statistic : array
        W of `cross_correlation`, or of `channel_correlation` where nodes were given; of the
        layer pairs that ``choice`` says.
    standard_error : array
        Standard deviation of W over the draws.
    low, high : array
        Bounds of the interval, with W between them.
    confidence : float
    n_resamples, samples, layers : int
        ``layers`` is the number of layer pairs.
    choice : "pooled", "mean", "last" or int
        The layer pairs that W is of.
    seed : int or None
    method : str
    """

    statistic: Array
    standard_error: Array
    low: Array
    high: Array
    confidence: float
    n_resamples: int
    samples: int
    layers: int
    choice: str | int
    seed: int | None
    method: str


def bootstrap_interval(
    a: Array,
    g: Array,
    samples: int,
    *,
    a_nodes: Any = None,
    g_nodes: Any = None,
    nodes: int | None = None,
    layers: LayerChoice = None,
    n_components: int | None = None,
    n_resamples: int = 200,
    confidence: float = 0.95,
    seed: int | None = None,
    method: Method = "spearman",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
    verbose: bool = False,
) -> BootstrapInterval:
    """Give each W with its standard error and a confidence interval.

    Samples are drawn with replacement, each with all its layers, as samples are independent and
    layers are not.

    Parameters
    ----------
    a, g, samples, a_nodes, g_nodes, nodes, layers, n_components
        As of `permutation_test`; any W of `fit` and `infer` before penalty and scaling.
    n_resamples : int
        Resamples, at least 2.
    confidence : float in (0, 1)
    seed : int, optional
        Of the draws. Without it they differ from call to call.
    method, row_chunk, precision, backend, device
        As of `cross_correlation`; average ties.
    verbose : bool
        Show progress on standard error.

    Returns
    -------
    BootstrapInterval
        With ``statistic``, ``standard_error``, ``low`` and ``high``. A constant column has W = 0,
        error 0 and the interval [0, 0]: nothing was learned of it.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `permutation_test`, and for ``confidence`` outside (0, 1).
    ImportError
        When the backend's library is not installed.

    Notes
    -----
    The interval is ``tanh(z - q s), tanh(z + q s)`` with ``z = atanh(W)``, s the standard
    deviation of atanh over the draws and q the normal quantile: the standard interval on a scale
    on which it is about normal [1]_. Of fewer than 100 samples it holds the truth less
    often than it says, and so it does in the mean over layers where some of them have hardly a
    value but zeros: docs/results.md says how often.

    A norm is larger than that of the true correlations, by what chance adds, and in each resample
    larger still. So with ``a_nodes`` the interval is not of a true norm: it is of the mean that W
    has over batches of B samples, chance included, above 0 also where nothing goes with anything.
    Whether W is more than chance, `permutation_test` says. The scale is the atanh of W over the
    largest that it can be, ``sqrt(Ci * Cj)`` for nodes of Ci and Cj columns. Of 200 samples it
    holds that mean about as often as it says, and more often where W is little but chance.

    Draws are not kept: peak memory is that of `cross_correlation` or `channel_correlation`, once
    more the bytes of ``a`` and ``g``, and eight arrays of the size of W, whatever
    ``n_resamples`` is. Draws of columns need no sort of their own; each draw of nodes is
    ranked anew. Eager only.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap. Chapman & Hall,
       chapters 12 and 13.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a, g = rng.standard_normal((2, 300, 1))  # 3 layers of 100 samples
    >>> found = bootstrap_interval(a, a + g, 100, seed=0)
    >>> bool(found.low < 0.69 < found.high)  # 6 / pi * asin(sqrt(0.5) / 2)
    True
    """
    options = CorrelationOptions(
        method=method, row_chunk=row_chunk, precision=precision, backend=backend, device=device
    )
    score = score_of(a_nodes, g_nodes)
    x, y, pairs, choice, _ = taken(a, g, samples, layers, score)
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    tables = checked_tables(x, y, a_nodes, g_nodes, nodes, n_components)
    ops, _ = backend_and_dtype(x, y, options)
    n_resamples = _validation.whole_number("n_resamples", n_resamples, least=2)
    confidence = _validation.level("confidence", confidence)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    own = {"a_nodes": a_nodes, "g_nodes": g_nodes, "nodes": nodes, "n_components": n_components}
    resamples = resamples_of(a, g, samples, choice, ops, own if tables else None, options)
    W = resamples.observed()
    matrices = resamples.drawn(drawn_samples(samples, n_resamples, seed))
    largest = largest_scores(tables, ops, W.dtype)
    tracked = track(matrices, n_resamples, "resamples", verbose=verbose)
    error, spread = deviations(tracked, largest, ops.xp)
    z, q = atanh(W / largest, ops.xp), normal_quantile((1 + confidence) / 2)
    low, high = (ops.xp.tanh(z + side * q * spread) * largest for side in (-1, 1))
    return BootstrapInterval(
        statistic=W,
        standard_error=error,
        low=low if tables is None else ops.xp.clip(low, 0),
        high=high,
        confidence=confidence,
        n_resamples=n_resamples,
        samples=samples,
        layers=pairs,
        choice=choice,
        seed=seed,
        method=str(method),
    )


def drawn_samples(samples: int, n_resamples: int, seed: int | None) -> np.ndarray:
    """How often each sample stands in each draw: (n_resamples, samples), small numbers."""
    counts = drawn_counts(samples, n_resamples, np.random.default_rng(seed))
    return counts.astype(np.min_scalar_type(counts.max()))


def largest_scores(tables: tuple[np.ndarray, np.ndarray] | None, ops: Backend, dtype: Any) -> Any:
    """Give the largest W that there can be: 1, or that of each pair of nodes with channels."""
    if tables is None:
        return 1.0
    left, right = ((table >= 0).sum(axis=1) for table in tables)
    bound = np.sqrt(np.maximum(np.outer(left, right), 1))
    return ops.xp.astype(ops.adopt(bound.astype(np.float32)), dtype)


def deviations(matrices: Any, largest: Any, xp: Any) -> tuple[Array, Array]:
    """Give standard deviations of matrices and of the atanh of their shares, holding none."""
    values = ((W, atanh(W / largest, xp)) for W in matrices)
    moments = [Moments(value) for value in next(values)]
    for pair in values:
        for own, value in zip(moments, pair, strict=True):
            own.add(value)
    error, spread = (xp.sqrt(own.variance) for own in moments)
    return error, spread
