"""Columns that are hard to rank, to standardize or to multiply."""

import numpy as np

ROWS = 96


def columns(seed, rows=ROWS):
    """Continuous, tied, scaled and constant columns, float32; those of few values come last."""
    rng = np.random.default_rng(seed)
    normal, other = rng.standard_normal((2, rows)).astype(np.float32)
    uniform = rng.random(rows)
    found = [
        normal,
        np.sort(other),
        np.where(uniform < 0.5, 0, abs(normal)),
        np.where(uniform < 0.95, 0, abs(normal)),
        np.where(uniform < 0.3, -0.0, np.where(uniform < 0.6, 0.0, normal)),
        normal * np.float32(1e-30),
        other * np.float32(1e30),
        100 + other,
        np.zeros(rows),
        np.full(rows, 0.1),
        uniform < 0.5,
        np.floor(3 * uniform) - 1,
    ]
    return np.stack(found, axis=1).astype(np.float32)


def pair():
    """Sources, and fewer targets."""
    return columns(0), columns(1)[:, 1:]
