"""p-values of many pairs, adjusted for their number."""

from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.significance.distributions import scipy_part

METHODS = ("bh", "by")


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
    _validation.choice("method", method, METHODS)
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
        out[chosen] = scipy_part("stats").false_discovery_control(tested, method=method)
    return ops.adopt(out)


def candidate_mask(candidates: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Give the pairs that count as a mask."""
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
