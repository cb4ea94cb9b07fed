"""Exact mean and variance of a correlation over all permutations of the samples."""

from dataclasses import dataclass
from typing import Any

from gsnn_edges import backends
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.chunks import chunk_sizes
from gsnn_edges.correlation import Operand, backend_and_dtype
from gsnn_edges.layer_pairs import LayerChoice, layer_sums
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.significance.layers import ROUNDING, layer_products, within_layers
from gsnn_edges.significance.sides import taken


@dataclass(frozen=True, eq=False)
class NullMoments:
    """What `null_moments` found: ``mean`` and ``variance``, arrays of shape (N, N)."""

    mean: Array
    variance: Array
    samples: int

    @property
    def effective_sample_size(self) -> Array:
        """Independent observations that would give W the same variance: ``1 + 1 / variance``."""
        xp = backends.of(self.variance).xp
        varies = self.variance > 0
        one = xp.ones_like(self.variance)
        return xp.where(
            varies, one + one / xp.where(varies, self.variance, one), self.samples * one
        )


def null_moments(
    a: Array,
    g: Array,
    samples: int,
    *,
    layers: LayerChoice = "pooled",
    method: Method = "spearman",
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
) -> NullMoments:
    """Give the mean and the variance of W over all permutations of the samples.

    Parameters
    ----------
    a, g, samples, layers, method, precision, backend, device
        As of `permutation_test`, of columns that are nodes.

    Returns
    -------
    NullMoments
        ``mean`` is what differences between layers alone make of W; ``variance`` is that of the
        permutation distribution, 0 where a column does not vary within layers.

    Raises
    ------
    TypeError, ValueError, ImportError
        As `permutation_test`.

    Notes
    -----
    No permutation is drawn. With u, v standardized ranks, ``U`` and ``V`` their sums over the
    samples of a layer, and ``S[l, k]`` the sum over samples of products of layers l and k, each
    centred within its layer::

        mean     = sum over l of U[l] * V[l] / B
        variance = sum over l, k of S_a[l, k] * S_g[l, k] / (B - 1)

    the moments of a linear permutation statistic [1]_, summed over layers. Where layers are not
    pooled the mean is 0, and the sum is divided by the square of their number. Average ties. The
    norm of a block of correlations is no linear statistic, and has no such moments: for channels
    there is `permutation_test`.

    Peak memory: the standardized rows of one chunk, ``L * L`` numbers for each column, and both
    results.

    References
    ----------
    .. [1] W. Hoeffding (1951). A combinatorial central limit theorem. Annals of Mathematical
       Statistics 22(4), 558-566.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0], [2.0], [3.0], [1.0], [2.0], [3.0]])  # two equal layers
    >>> null_moments(x, x, 3).variance.round(6)  # as of 3 observations: 1 / (3 - 1)
    array([[0.5]], dtype=float32)
    """
    options = CorrelationOptions(method=method, precision=precision, backend=backend, device=device)
    a, g, pairs, _, apart = taken(a, g, samples, layers, "magnitude")
    ops, dtype = backend_and_dtype(a, g, options)
    sides = (Operand(x, ops, dtype, options, False, layers=apart or 1) for x in (a, g))
    (a_sums, a_products), (g_sums, g_products) = (summaries(x, apart or pairs) for x in sides)
    mean = ops.matmul(a_sums, g_sums) / samples
    variance = ops.matmul(a_products, g_products) / (samples - 1)
    if apart:
        # Of layers that are ranked by themselves; W is the mean over them.
        mean, variance = ops.xp.zeros_like(mean), variance / apart**2
    # What rounding leaves of a column that does not vary within layers.
    varies = variance > ROUNDING[dtype] ** 2
    zero = ops.xp.zeros_like(variance)
    return NullMoments(mean, ops.xp.where(varies, variance, zero), samples)


def effective_sample_size(
    a: Array,
    g: Array,
    samples: int,
    *,
    layers: LayerChoice = "pooled",
    method: Method = "spearman",
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
) -> Array:
    """Give the effective number of independent observations of each pair.

    Parameters
    ----------
    a, g, samples, layers, method, precision, backend, device
        As of `permutation_test`, of columns that are nodes.

    Returns
    -------
    array of shape (Na, Ng)
        ``1 + 1 / variance`` of `null_moments`, as n independent observations have the variance
        1 / (n - 1). About B where all layers repeat each other, about L * B where they are
        independent and equally spread. B where W does not vary at all.

    Raises
    ------
    TypeError, ValueError, ImportError
        As `permutation_test`.

    Notes
    -----
    For L layers of equal spread whose correlations within a sample average ``r`` (products of
    those in ``a`` and in ``g``), this is ``L * B / (1 + (L - 1) * r)``, but for terms in 1 / B:
    the design effect of cluster sampling [1]_.

    References
    ----------
    .. [1] L. Kish (1965). Survey sampling. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(50.0)[:, None]
    >>> effective_sample_size(np.tile(x, (4, 1)), np.tile(x, (4, 1)), 50).round(2)
    array([[50.]], dtype=float32)
    """
    options: Any = {"precision": precision, "backend": backend, "device": device}
    moments = null_moments(a, g, samples, layers=layers, method=method, **options)
    return moments.effective_sample_size


def summaries(columns: Operand, layers: int) -> tuple[Array, Array]:
    """Give `layer_sums` and the `layer_products` within layers, of all columns."""
    ops: Backend = columns.ops
    dtype = getattr(ops.xp, columns.dtype)
    sums = ops.empty((columns.count, layers), dtype)
    products = ops.empty((columns.count, layers * layers), dtype)
    shape = (columns.observations, columns.count, layers * layers)
    chunks = chunk_sizes(ops, shape, 4 if columns.dtype == "float32" else 8, None)
    for low, high in windows(columns.count, chunks.sources):
        rows = columns.rows(low, high)
        sums = ops.write(sums, ops.call(layer_sums, rows, layers=layers), low, 0)
        rows = ops.call(within_layers, rows, layers=layers)
        products = ops.write(products, ops.call(layer_products, rows, layers=layers), low, 0)
    return sums, products
