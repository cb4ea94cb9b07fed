"""p-values of correlations without resampling, and their adjustment for many pairs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device, Method, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.backends.generic_backend import windows
from gsnn_edges.chunks import chunk_sizes
from gsnn_edges.correlation import Operand, backend_and_dtype
from gsnn_edges.layer_pairs import (
    LayerChoice,
    by_layer,
    checked_layers,
    checked_pairs,
    chosen_pairs,
    layer_sums,
)
from gsnn_edges.options import CorrelationOptions

# Two correlations that are equal differ by so much at most, after rounding: twice law 3.
ROUNDING = {"float32": 2e-6, "float64": 2e-9}
_ALTERNATIVES = ("two-sided", "greater", "less")
_ADJUSTMENTS = ("bh", "by")
# The variance of Fisher's z is 1 / (n - 3).
_LOST = 3


def correlation_pvalue(
    W: Array, n: Any, *, null_mean: Any = 0.0, alternative: str = "two-sided"
) -> Array:
    """p-values of correlations by Fisher's z.

    Parameters
    ----------
    W : array of real numbers in [-1, 1], any shape
    n : number or array of the shape of ``W``
        Independent observations behind each correlation, above 3: `effective_sample_size`, not M.
    null_mean : number or array of the shape of ``W``
        Correlation without an effect: ``null_moments(...).mean`` where layers differ in level.
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    array of the shape, library and dtype of ``W`` (float32 for narrower ones)
        1 where W equals its null mean and the test is two-sided, as with constant columns.

    Raises
    ------
    TypeError
        When ``W`` is not an array of real numbers.
    ValueError
        For NaN, values outside [-1, 1], ``n`` that is not above 3, or an unknown alternative.
    ImportError
        When SciPy is not installed.

    Notes
    -----
    ``z = (atanh(W) - atanh(null_mean)) * (1 - null_mean^2) * sqrt(n - 3)`` is about standard
    normal [1]_; the middle factor takes the variance of W to the scale of atanh at its null mean,
    and is 1 where that is 0. W beyond 1 minus the dtype's epsilon counts as that. Peak memory:
    some float64 copies of ``W`` on the host.

    References
    ----------
    .. [1] R. A. Fisher (1921). On the "probable error" of a coefficient of correlation deduced
       from a small sample. Metron 1, 3-32.

    Examples
    --------
    >>> import numpy as np
    >>> correlation_pvalue(np.array([0.0, 0.2, -0.2]), 100, alternative="greater").round(4)
    array([0.5   , 0.0229, 0.9771])
    """
    _validation.array("W", W)
    _validation.choice("alternative", alternative, _ALTERNATIVES)
    ops = backends.of(W)
    xp = ops.xp
    dtype = xp.float64 if W.dtype == xp.float64 else xp.float32
    W = xp.astype(W, dtype)
    n, null_mean = (_beside(name, x, W, ops) for name, x in (("n", n), ("null_mean", null_mean)))
    for name, x in (("W", W), ("null_mean", null_mean)):
        _check_correlation(name, x, ops)
    if not bool(xp.all((n > _LOST) & xp.isfinite(n))):
        raise ValueError(
            f"n must be finite and above {_LOST} everywhere; got {float(xp.min(n)):g} at least: "
            "take more samples, or use permutation_test"
        )
    z = (atanh(W, xp) - atanh(null_mean, xp)) * (1 - null_mean * null_mean) * xp.sqrt(n - _LOST)
    p = _normal_p(ops.to_numpy(z).astype(np.float64), alternative)
    return xp.astype(ops.adopt(p.astype(_validation.dtype_name(W))), dtype)


def _beside(name: str, x: Any, W: Array, ops: Backend) -> Array:
    """A number or an array as one of the shape, library and dtype of ``W``."""
    if isinstance(x, bool | str) or x is None:
        raise TypeError(f"{name} must be a number or an array of the shape of W; got {x!r}")
    if isinstance(x, int | float):
        return ops.xp.full(W.shape, float(x), dtype=W.dtype, device=ops.device)
    _validation.array(name, x)
    if x.shape not in ((), W.shape):
        raise ValueError(
            f"{name} must be a number or have the shape of W, {tuple(W.shape)}; got "
            f"{tuple(x.shape)}"
        )
    return ops.xp.broadcast_to(ops.xp.astype(backends.move(x, ops), W.dtype), W.shape)


def _check_correlation(name: str, x: Array, ops: Backend) -> None:
    """Reject values that are no correlations; rounding may leave [-1, 1] by a little."""
    inside = ops.xp.abs(x) <= 1 + 1e-6
    outside = int(ops.xp.count_nonzero(~inside))
    if outside:
        raise ValueError(
            f"{name} must hold correlations in [-1, 1]; got {outside} values outside or NaN: "
            "give W as cross_correlation returns it, before any penalty or scaling"
        )


def atanh(x: Array, xp: Any) -> Array:
    """Inverse hyperbolic tangent, finite at 1 and -1."""
    limit = 1 - float(xp.finfo(x.dtype).eps)
    return xp.atanh(xp.clip(x, -limit, limit))


def _normal_p(z: np.ndarray, alternative: str) -> np.ndarray:
    """p-values of standard normal scores."""
    ndtr = _scipy_part("special").ndtr
    if alternative == "two-sided":
        return np.asarray(2 * ndtr(-np.abs(z)))
    return np.asarray(ndtr(-z if alternative == "greater" else z))


def _scipy_part(name: str) -> Any:
    """Import ``scipy.<name>``, or say what to install."""
    need = "p-values of known distributions need SciPy"
    return _validation.imported(f"scipy.{name}", need, "stats")


def adjust_pvalues(p: Array, *, method: str = "bh", candidates: Any = None) -> Array:
    """Adjust p-values so that a bound on them bounds the false discovery rate.

    Parameters
    ----------
    p : array of real numbers in [0, 1], any shape
    method : {"bh", "by"}
        Benjamini and Hochberg [1]_, for independent or positively dependent tests; Benjamini and
        Yekutieli [2]_, for any dependence.
    candidates : array-like of bool, the shape of ``p``, optional
        Only these pairs count, and only they get a value. By default all.

    Returns
    -------
    array of the shape, library and dtype of ``p`` (float32 for narrower ones)
        Adjusted p-values; NaN for pairs that are no candidates. What stands there in ``p`` is
        not looked at.

    Raises
    ------
    TypeError
        When ``p`` is not an array of real numbers, or ``candidates`` not one of bool.
    ValueError
        For NaN among the candidates, values outside [0, 1], shapes that differ, or an unknown
        method.
    ImportError
        When SciPy is not installed.

    Notes
    -----
    By ``scipy.stats.false_discovery_control``, on the host. Peak memory: some float64 copies of
    ``p``.

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg (1995). Controlling the false discovery rate. Journal of the
       Royal Statistical Society B 57(1), 289-300.
    .. [2] Y. Benjamini, D. Yekutieli (2001). The control of the false discovery rate in multiple
       testing under dependency. Annals of Statistics 29(4), 1165-1188.

    Examples
    --------
    >>> import numpy as np
    >>> adjust_pvalues(np.array([0.01, 0.02, 0.9, 0.5]), candidates=[True, True, True, False])
    array([0.03, 0.03, 0.9 ,  nan])
    """
    _validation.array("p", p)
    _validation.choice("method", method, _ADJUSTMENTS)
    ops = backends.of(p)
    values = ops.to_numpy(p)
    chosen = candidate_mask(candidates, values.shape)
    tested = values[chosen].astype(np.float64)
    bad = int(np.count_nonzero(~((tested >= 0) & (tested <= 1))))
    if bad:
        raise ValueError(
            f"p must hold p-values in [0, 1] for all candidates; got {bad} values outside or NaN: "
            "leave pairs that were not tested out of candidates"
        )
    out = np.full(values.shape, np.nan, "float64" if values.dtype == "float64" else "float32")
    if tested.size:
        out[chosen] = _scipy_part("stats").false_discovery_control(tested, method=method)
    return ops.adopt(out)


def candidate_mask(candidates: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Pairs that count, as a mask."""
    if candidates is None:
        return np.ones(shape, dtype=np.bool_)
    mask = _validation.host_array("candidates", candidates)
    if mask.dtype != np.bool_:
        raise TypeError(f"candidates must hold bools, True for pairs that count; got {mask.dtype}")
    if mask.shape != shape:
        raise ValueError(
            f"candidates must have a value for each pair, shape {shape}; got {mask.shape}"
        )
    return mask


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
    """Mean and variance of W over all permutations of the samples, exactly.

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
    choice = checked_layers(layers, "magnitude", checked_pairs(a, g, samples))
    pooled = choice == "pooled"
    if choice not in ("pooled", "mean"):
        ((a, g),) = chosen_pairs(a, g, samples, choice)
    pairs = a.shape[0] // samples
    ops, dtype = backend_and_dtype(a, g, options)
    sides = (Operand(x, ops, dtype, options, False, layers=1 if pooled else pairs) for x in (a, g))
    (a_sums, a_products), (g_sums, g_products) = (_summaries(x, pairs) for x in sides)
    mean = ops.matmul(a_sums, g_sums) / samples
    variance = ops.matmul(a_products, g_products) / (samples - 1)
    if not pooled:
        # Of layers that are ranked by themselves; W is the mean over them.
        mean, variance = ops.xp.zeros_like(mean), variance / pairs**2
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
    """Effective number of independent observations of each pair.

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


def _summaries(columns: Operand, layers: int) -> tuple[Array, Array]:
    """`layer_sums` of all columns, and their `_layer_products` within layers."""
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
        products = ops.write(products, ops.call(_layer_products, rows, layers=layers), low, 0)
    return sums, products


def within_layers(rows: Array, *, ops: Backend, layers: int) -> Array:
    """Take the mean of each layer away from each row."""
    parts = by_layer(rows, ops, layers)
    return ops.xp.reshape(parts - ops.xp.mean(parts, axis=2, keepdims=True), rows.shape)


def _layer_products(rows: Array, *, ops: Backend, layers: int) -> Array:
    """Sum over samples the products of any two layers of a row: (rows, layers * layers)."""
    parts = by_layer(rows, ops, layers)
    products = ops.xp.matmul(parts, ops.xp.matrix_transpose(parts))
    return ops.xp.reshape(products, (rows.shape[0], layers * layers))
