"""Seeded data to measure on."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

# Shares of exact zeros, about those of a real GSNN: ReLU-like activations, dead gradients.
ZEROS_IN_A = 0.2
ZEROS_IN_G = 0.4


def observations(count: int, nodes: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Draw activations and gradients of shape (count, nodes): standard normal, some exactly 0.

    Examples
    --------
    >>> a, g = observations(10, 3)
    >>> a.shape, g.dtype
    ((10, 3), dtype('float32'))
    """
    rng = np.random.default_rng(seed)
    return (
        _normal_with_zeros(rng, (count, nodes), ZEROS_IN_A),
        _normal_with_zeros(rng, (count, nodes), ZEROS_IN_G),
    )


def scored_edges(nodes: int, edges: int, *, seed: int = 0) -> tuple[Floats, Indices]:
    """Draw scores, (nodes, nodes), and that many different edges, (2, edges), no self-edges."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((nodes, nodes), dtype=np.float32)
    drawn = rng.choice(nodes * (nodes - 1), edges, replace=False)
    source, target = np.divmod(drawn, nodes - 1)
    return scores, np.stack([source, target + (target >= source)])


def nodes_of(nodes: int, width: int) -> Indices:
    """Give the node of each of ``nodes * width`` channels, side by side."""
    return np.repeat(np.arange(nodes), width)


def _normal_with_zeros(rng: np.random.Generator, shape: tuple[int, int], share: float) -> Floats:
    x = rng.standard_normal(shape, dtype=np.float32)
    x[rng.random(shape, dtype=np.float32) < share] = 0
    return x
