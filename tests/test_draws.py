"""Counts of a draw are those of the numbers that the generator gives."""

from collections import Counter

import numpy as np
import pytest

from gsnn_edges.resampling import drawn_counts


@pytest.mark.parametrize("size", [None, 1, 4, 50])
def test_counts_equal_a_loop(size):
    found = drawn_counts(7, 5, np.random.default_rng(3), size=size)
    rng = np.random.default_rng(3)
    for row in found:
        counted = Counter(rng.integers(0, 7, size or 7).tolist())
        np.testing.assert_array_equal(row, [counted[thing] for thing in range(7)])


def test_draws_at_once_are_draws_one_by_one():
    # Callers that draw in blocks and callers that draw one at a time mean the same draws.
    rng = np.random.default_rng(0)
    pieces = [drawn_counts(6, 2, rng), drawn_counts(6, 3, rng)]
    whole = np.random.default_rng(0).integers(0, 6, (5, 6))
    expected = [np.bincount(pick, minlength=6) for pick in whole]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
