"""Bootstrap intervals of correlations, by resampling samples with all their layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _checks, backends
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.bootstrap import resampled_correlations
from gsnn_edges.correlation import checked_backend, cross_correlation
from gsnn_edges.draws import drawn_counts
from gsnn_edges.layers import checked_pairs
from gsnn_edges.progress import track
from gsnn_edges.running import Moments
from gsnn_edges.significance.distributions import normal_quantile
from gsnn_edges.significance.fisher import atanh


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """What `bootstrap_interval` found; arrays of shape (Na, Ng).

    Attributes
    ----------
    statistic : array
        W of `cross_correlation`.
    standard_error : array
        Standard deviation of W over the draws.
    low, high : array
        Bounds of the interval, with W between them.
    confidence : float
    draws, samples, layers : int
    seed : int or None
    method : str
    """

    statistic: Array
    standard_error: Array
    low: Array
    high: Array
    confidence: float
    draws: int
    samples: int
    layers: int
    seed: int | None
    method: str


def bootstrap_interval(
    a: Array,
    g: Array,
    samples: int,
    *,
    draws: int = 200,
    confidence: float = 0.95,
    seed: int | None = None,
    method: Method = "spearman",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
    verbose: bool = False,
) -> BootstrapInterval:
    """Give each correlation with its standard error and a confidence interval.

    Samples are drawn with replacement, each with all its layers, as samples are independent and
    layers are not.

    Parameters
    ----------
    a, g, samples
        As of `permutation_test`.
    draws : int
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
    on which it is about normal [1]_. Draws are not kept: peak memory is that of the bootstrap
    kernel and eight arrays of the size of W, whatever ``draws`` is. Eager only.

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
    layers = checked_pairs(a, g, samples)
    ops, precision = checked_backend(a, g, method, "average", precision, backend, device)
    draws = _checks.whole_number("draws", draws, least=2)
    confidence = checked_confidence(confidence)
    seed = _checks.whole_number_or_none("seed", seed, least=0)
    row_chunk = _checks.whole_number_or_none("row_chunk", row_chunk, least=1)
    options: dict[str, Any] = {"method": method, "row_chunk": row_chunk, "precision": precision}
    quantile = normal_quantile((1 + confidence) / 2)
    a, g = (backends.move(x, ops) for x in (a, g))
    W = cross_correlation(a, g, **options)
    counts = counts_of_observations(samples, layers, draws, seed)
    matrices = resampled(a, g, counts, ops, options)
    error, spread = deviations(track(matrices, draws, "resamples", verbose=verbose), ops.xp)
    z = atanh(W, ops.xp)
    low, high = (ops.xp.tanh(z + side * quantile * spread) for side in (-1, 1))
    return BootstrapInterval(
        W, error, low, high, confidence, draws, samples, layers, seed, str(method)
    )


def checked_confidence(confidence: Any) -> float:
    """Give a number in (0, 1)."""
    level = _checks.fraction("confidence", confidence)
    if level == 0:
        raise ValueError("confidence must be above 0; got 0: 0.95 is usual")
    return level


def counts_of_observations(samples: int, layers: int, draws: int, seed: int | None) -> np.ndarray:
    """How often each observation stands in each draw: (draws, layers * samples), small numbers."""
    counts = drawn_counts(samples, draws, np.random.default_rng(seed))
    return np.tile(counts.astype(np.min_scalar_type(counts.max())), layers)


def resampled(
    a: Array, g: Array, counts: np.ndarray, ops: Backend, options: dict[str, Any]
) -> Iterator[Array]:
    """Give W of each draw as an array of ``ops``."""
    device = None if ops.name == "generic" else ops.device
    for W in resampled_correlations(a, g, counts, backend=ops.name, device=device, **options):
        yield backends.move(W, ops)


def deviations(matrices: Any, xp: Any) -> tuple[Array, Array]:
    """Give standard deviations of matrices and of their atanh, holding none of them."""
    values = ((W, atanh(W, xp)) for W in matrices)
    moments = [Moments(value) for value in next(values)]
    for pair in values:
        for own, value in zip(moments, pair, strict=True):
            own.add(value)
    error, spread = (xp.sqrt(own.variance) for own in moments)
    return error, spread
