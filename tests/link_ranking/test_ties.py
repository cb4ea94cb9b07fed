"""Ranks of tied queries equal PyKEEN's, and the average over all orders of the ties."""

from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from rankings import PykeenRanks

from gsnn_edges.evaluation.metrics import TIE_TYPES, ranks_of


@pytest.mark.parametrize("levels", [1, 3, 50])
def test_ranks_equal_pykeens(levels):
    scores = np.random.default_rng(levels).integers(0, levels, (200, 30)).astype(np.float32)
    own = scores[:, :1]
    found = ranks_of((scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1)
    expected = PykeenRanks.from_scores(torch.from_numpy(own), torch.from_numpy(scores))
    for kind in TIE_TYPES:
        assert_array_equal(getattr(found, kind), getattr(expected, kind).numpy(), kind)


@pytest.mark.parametrize("level", [0, 1, 2, 4])
@pytest.mark.parametrize("above", [0, 1, 7])
def test_tie_reciprocal_is_the_mean_over_all_orders(above, level):
    tied = ["query", *range(level)]
    places = [order.index("query") for order in permutations(tied)]
    expected = np.mean([1 / (1 + above + place) for place in places])
    found = ranks_of(np.array([above]), np.array([level]))
    assert_allclose(found.tie_reciprocal, [expected], rtol=1e-13)


def test_untied_reciprocals_are_the_same_to_the_bit():
    above = np.arange(1000)
    found = ranks_of(above, np.zeros(1000, int))
    assert_array_equal(found.tie_reciprocal, 1 / found.realistic)
