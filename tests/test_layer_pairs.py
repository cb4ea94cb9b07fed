"""Layer pairs are cut in order, and the parts of a pooled correlation add up."""

import numpy as np
import pytest
from columns import kinds, matrix
from oracles import standardized

from gsnn_edges import cross_correlation
from gsnn_edges.layer_pairs import checked_layers, chosen_pairs, layer_pairs, layer_parts

SAMPLES, PAIRS = 60, 4


def observations():
    """Columns that move from layer to layer."""
    shift = np.repeat(np.arange(PAIRS), SAMPLES)[:, None].astype(np.float32)
    a, g = (matrix(*kinds(SAMPLES * PAIRS, seed)) for seed in (0, 1))
    a[:, :3] += shift
    g[:, :5] -= 0.5 * shift
    return a, g


def slow_parts(a, g, method):
    """Sum products, layer by layer, of centred columns and of the means of columns."""
    within = between = 0
    sides = (standardized(x, method).reshape(PAIRS, SAMPLES, -1) for x in (a, g))
    for left, right in zip(*sides, strict=True):
        means = left.mean(axis=0), right.mean(axis=0)
        within = within + (left - means[0]).T @ (right - means[1])
        between = between + SAMPLES * np.outer(*means)
    return within, between


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_parts_equal_a_slow_computation_and_add_up(eager, method):
    a, g = observations()
    parts = layer_parts(eager.array(a), eager.array(g), SAMPLES, method=method)
    pooled, within, between = (eager.numpy(part) for part in parts)
    expected = slow_parts(a, g, method)
    np.testing.assert_allclose(within, expected[0], rtol=0, atol=4e-6)
    np.testing.assert_allclose(between, expected[1], rtol=0, atol=4e-6)
    whole = eager.run(cross_correlation, a, g, method=method)
    np.testing.assert_array_equal(pooled, whole)
    assert np.abs(between).max() > 0.3


def test_one_layer_pair_has_nothing_between():
    a, g = observations()
    np.testing.assert_allclose(layer_parts(a, g, len(a)).between, 0, atol=1e-6)


def test_layer_pairs_are_cut_in_order():
    a = np.arange(12).reshape(6, 2)
    pairs = list(layer_pairs(a, -a, 3))
    np.testing.assert_array_equal(pairs, [(a[:3], -a[:3]), (a[3:], -a[3:])])


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("pooled", [[0, 1, 2, 3, 4, 5]]),
        ("mean", [[0, 1, 2], [3, 4, 5]]),
        ("last", [[3, 4, 5]]),
        (0, [[0, 1, 2]]),
    ],
)
def test_chosen_pairs_are_the_rows_of_each_matrix(layers, expected):
    rows = np.arange(6)
    pairs = chosen_pairs(rows, -rows, 3, layers)
    np.testing.assert_array_equal(pairs, [(part, np.negative(part)) for part in expected])


@pytest.mark.parametrize(
    ("layers", "score", "expected"),
    [
        (None, "magnitude", "pooled"),
        (None, "channels", "mean"),
        ("last", "magnitude", "last"),
        (np.int64(1), "channels", 1),
    ],
)
def test_layers_have_a_default_for_each_score(layers, score, expected):
    assert checked_layers(layers, score, 2) == expected


@pytest.mark.parametrize(
    ("layers", "error", "phrase"),
    [
        ("first", ValueError, "layers must be one of 'pooled', 'mean', 'last'; got 'first'"),
        (2, ValueError, r"a layer pair in 0 \.\. 1; got 2: 3 blocks make 2 pairs"),
        (-1, ValueError, "layers must be at least 0; got -1: pairs count from 0"),
        (0.5, TypeError, "layers must be a whole number"),
        (True, TypeError, "layers must be a whole number"),
    ],
)
def test_layers_that_are_not_there_are_refused(layers, error, phrase):
    with pytest.raises(error, match=phrase):
        checked_layers(layers, "magnitude", 2)
