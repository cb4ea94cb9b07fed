"""How precisely W is known: what the spread of its estimates says of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation

Floats = NDArray[np.float64]


def error_share(settings: Mapping[str, Any], counts: Mapping[str, int]) -> float | None:
    """Give the standard error of W as a share of the spread of its draws; None without draws.

    Draws of n samples spread as 1 / sqrt(n), and W is of B samples: sqrt(n / B). The spread of
    members that were combined is one between models, and says nothing of samples.
    """
    rows, samples = settings.get("estimate_n_samples"), counts.get("samples")
    if not settings.get("estimate") or "combined" in settings or not rows or not samples:
        return None
    return float(np.sqrt(rows / samples))


def check_correlations(settings: Mapping[str, Any]) -> None:
    """Reject W that is no correlation in [-1, 1], as it was made."""
    made = {
        "score": settings.get("score", "magnitude") == "magnitude",
        "penalty_factor": not settings.get("penalty_factor"),
        "scale_by_act_mean": not settings.get("scale_by_act_mean"),
    }
    wrong = [f"{name}={settings[name]!r}" for name, right in made.items() if not right]
    if wrong:
        raise ValueError(
            "interval needs a W of correlations in [-1, 1], of score='magnitude' without penalty "
            f"and scaling; got settings with {', '.join(wrong)}: use standard_error, or "
            "bootstrap_interval of the observations"
        )


def fisher_interval(W: Floats, error: Floats, draws: int, level: float) -> tuple[Floats, Floats]:
    """Give bounds of each correlation on the scale of Fisher's z.

    An error e of W is one of ``e / (1 - W^2)`` there. As it was estimated from some draws, its
    quantile is that of Student's t with one degree of freedom fewer.
    """
    special = _validation.imported("scipy.special", "intervals need SciPy", "stats")
    # Rounding may leave W at 1, where z is infinite.
    W = np.clip(W, -1 + 1e-12, 1 - 1e-12)
    step = special.stdtrit(draws - 1, (1 + level) / 2) * error / (1 - W**2)
    z = np.arctanh(W)
    return np.tanh(z - step), np.tanh(z + step)
