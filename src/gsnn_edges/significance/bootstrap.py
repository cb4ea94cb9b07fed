"""Bootstrap intervals of correlations, by resampling samples with all their layers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._tables import as_arrays
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.channels import correlate_channels, optional_tables
from gsnn_edges.correlation import backend_and_dtype, correlate
from gsnn_edges.layer_pairs import LayerChoice, checked_layers, checked_pairs, chosen_pairs
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import Moments, drawn_counts, resampled_correlations
from gsnn_edges.significance.analytic import atanh

Pair: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """Result of `bootstrap_interval`; arrays of shape (Na, Ng), or (N, N) of nodes.

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
    """Each W with its standard error and a confidence interval.

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

    Matrices of draws are not kept: peak memory is that of `cross_correlation` or
    `channel_correlation`, once more the bytes of ``a`` and ``g``, eight arrays of the size of W,
    and 9 bytes for each sample of each draw. Draws of columns need no sort of their own; each draw
    of nodes is ranked anew. Eager only.

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
    a, g = as_arrays(a=a, g=g)
    pairs = checked_pairs(a, g, samples)
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    tables = optional_tables(a, g, a_nodes, g_nodes, nodes, n_components)
    choice = checked_layers(layers, "channels" if tables else "magnitude", pairs)
    n_resamples = _validation.whole_number("n_resamples", n_resamples, least=2)
    confidence = _validation.level("confidence", confidence)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    parts = chosen_pairs(a, g, samples, choice)
    ops, _ = backend_and_dtype(*parts[0], options)
    parts = [(backends.move(x, ops), backends.move(y, ops)) for x, y in parts]
    score: dict[str, Any] = {"a_nodes": a_nodes, "g_nodes": g_nodes, "nodes": nodes}
    score |= {"n_components": n_components, "options": options}

    def norms(rows: list[Pair]) -> Array:
        return _average(correlate_channels(*part, **score) for part in rows)

    # Small numbers: how often each sample stands in each draw.
    counts = drawn_counts(samples, n_resamples, np.random.default_rng(seed))
    counts = counts.astype(np.min_scalar_type(counts.max()))
    if tables:
        W = norms(parts)
        matrices: Iterator[Array] = (
            norms(_rows_of(parts, samples, count, ops)) for count in counts
        )
    else:
        W = _average(correlate(*part, options) for part in parts)
        matrices = _matrices(parts, samples, counts, options)
    largest = _largest_scores(tables, ops, W.dtype)
    tracked = track(matrices, n_resamples, "resamples", verbose=verbose)
    error, deviation = _deviations(tracked, largest, ops.xp)
    z, q = atanh(W / largest, ops.xp), NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = (ops.xp.tanh(z + side * q * deviation) * largest for side in (-1, 1))
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


def _matrices(
    parts: list[Pair], samples: int, counts: np.ndarray, options: CorrelationOptions
) -> Iterator[Array]:
    """W of each draw, whose columns need no sort of their own."""
    each = []
    for a, g in parts:
        tiled = np.tile(counts, a.shape[0] // samples)
        each.append(resampled_correlations(a, g, tiled, options))
    return (_average(matrices) for matrices in zip(*each, strict=True))


def _rows_of(parts: list[Pair], samples: int, count: np.ndarray, ops: Backend) -> list[Pair]:
    """Observations of one draw, in which each sample stands ``count`` times."""
    pick = np.repeat(np.arange(samples), count)
    rows = []
    for pair in parts:
        starts = np.arange(0, pair[0].shape[0], samples)[:, None]
        index = ops.adopt((starts + pick).reshape(-1))
        rows.append((ops.xp.take(pair[0], index, axis=0), ops.xp.take(pair[1], index, axis=0)))
    return rows


def _average(matrices: Iterable[Array]) -> Array:
    matrices = list(matrices)
    return reduce(add, matrices) / len(matrices)


def _largest_scores(tables: tuple[np.ndarray, np.ndarray] | None, ops: Backend, dtype: Any) -> Any:
    """The largest W that there can be: 1, or that of each pair of nodes with channels."""
    if tables is None:
        return 1.0
    left, right = ((table >= 0).sum(axis=1) for table in tables)
    bound = np.sqrt(np.maximum(np.outer(left, right), 1))
    return ops.xp.astype(ops.adopt(bound.astype(np.float32)), dtype)


def _deviations(matrices: Iterable[Array], largest: Any, xp: Any) -> tuple[Array, Array]:
    """Standard deviations of matrices and of the atanh of their shares, holding none."""
    values = ((W, atanh(W / largest, xp)) for W in matrices)
    moments = [Moments(value) for value in next(values)]
    for pair in values:
        for moment, value in zip(moments, pair, strict=True):
            moment.add(value)
    error, deviation = (xp.sqrt(moment.variance) for moment in moments)
    return error, deviation
