"""Draws with replacement, by how often each thing stands in them."""

import numpy as np


def drawn_counts(
    things: int, draws: int, rng: np.random.Generator, *, size: int | None = None
) -> np.ndarray:
    """Count how often each of so many things stands in each draw.

    Parameters
    ----------
    things, draws : int
    rng : numpy.random.Generator
        Asked for ``size`` numbers below ``things`` a draw, so that whoever asks it for the same
        numbers draws the same things.
    size : int, optional
        Things in a draw; as many as there are by default, a bootstrap resample.

    Returns
    -------
    int64 ndarray of shape (draws, things)
        Each row sums to ``size``.

    Examples
    --------
    >>> drawn_counts(4, 2, np.random.default_rng(0)).sum(axis=1)
    array([4, 4])
    """
    size = things if size is None else size
    picks = (rng.integers(0, things, size) for _ in range(draws))
    return np.stack([np.bincount(pick, minlength=things) for pick in picks])
