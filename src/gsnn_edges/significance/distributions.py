"""The normal distribution; SciPy is loaded where it is needed."""

from statistics import NormalDist
from typing import Any

import numpy as np

from gsnn_edges import _validation


def scipy_part(name: str) -> Any:
    """Import ``scipy.<name>``, or say what to install."""
    need = "p-values of known distributions need SciPy"
    return _validation.imported(f"scipy.{name}", need, "stats")


def normal_p(z: np.ndarray, alternative: str) -> np.ndarray:
    """Give p-values of standard normal scores: "two-sided", "greater" or "less"."""
    ndtr = scipy_part("special").ndtr
    if alternative == "two-sided":
        return np.asarray(2 * ndtr(-np.abs(z)))
    return np.asarray(ndtr(-z if alternative == "greater" else z))


def normal_quantile(share: float) -> float:
    """Give the score below which a standard normal variable lies with this probability."""
    return NormalDist().inv_cdf(share)
