"""Columns of every kind that has broken a rank correlation before."""

import numpy as np


def kinds(observations, seed=0):
    """Name -> float32 column of so many observations; no column is constant by chance."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(observations).astype(np.float32)
    uniform = rng.random(observations)
    signed_zeros = np.where(uniform < 0.3, -0.0, np.where(uniform < 0.6, 0.0, normal))
    return (
        {
            "continuous": normal,
            "sorted": np.sort(normal),
            **{
                f"{share}% zeros": np.where(uniform < share / 100, 0, np.abs(normal))
                for share in (20, 80, 99)
            },
            "tiny": normal * np.float32(1e-30),
            "huge": normal * np.float32(1e30),
            "offset": 100 + normal,
            "signed zeros": signed_zeros,
        },
        {
            "binary": (uniform < 0.5) * 1.0,
            "three levels": np.floor(3 * uniform),
            "five levels": np.floor(5 * uniform) - 2,
            "45% at each of two": np.where(uniform < 0.45, 0, np.where(uniform < 0.9, 1, normal)),
        },
        {
            "constant 0": np.zeros(observations),
            "constant 0.1": np.full(observations, 0.1),
            "constant huge": np.full(observations, -1e30),
        },
    )


def matrix(*groups):
    """Columns side by side, float32."""
    columns = [column for group in groups for column in group.values()]
    return np.stack(columns, axis=1).astype(np.float32)
