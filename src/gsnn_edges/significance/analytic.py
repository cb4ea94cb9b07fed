"""p-values of correlations by Fisher's z, with an effective number of observations."""

from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.significance.distributions import normal_p

ALTERNATIVES = ("two-sided", "greater", "less")
# The variance of Fisher's z is 1 / (n - 3).
LOST = 3


def correlation_pvalue(
    W: Array, n: Any, *, null_mean: Any = 0.0, alternative: str = "two-sided"
) -> Array:
    """Give p-values of correlations by Fisher's z.

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
    _validation.choice("alternative", alternative, ALTERNATIVES)
    ops = backends.of(W)
    xp = ops.xp
    dtype = xp.float64 if W.dtype == xp.float64 else xp.float32
    W = xp.astype(W, dtype)
    n, null_mean = (beside(name, x, W, ops) for name, x in (("n", n), ("null_mean", null_mean)))
    for name, x in (("W", W), ("null_mean", null_mean)):
        check_correlation(name, x, ops)
    if not bool(xp.all((n > LOST) & xp.isfinite(n))):
        raise ValueError(
            f"n must be finite and above {LOST} everywhere; got {float(xp.min(n)):g} at least: "
            "take more samples, or use permutation_test"
        )
    z = (atanh(W, xp) - atanh(null_mean, xp)) * (1 - null_mean * null_mean) * xp.sqrt(n - LOST)
    p = normal_p(ops.to_numpy(z).astype(np.float64), alternative)
    return xp.astype(ops.adopt(p.astype(_validation.dtype_name(W))), dtype)


def beside(name: str, x: Any, W: Array, ops: Backend) -> Array:
    """Give a number or an array as one of the shape, library and dtype of ``W``."""
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


def check_correlation(name: str, x: Array, ops: Backend) -> None:
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
