"""Layer pairs are cut in order, and the parts of a pooled correlation add up."""

import numpy as np
import pytest
import scipy.stats
from columns import kinds, matrix

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


def standard(x, method):
    """Centred columns of length 1, in float64, layer by layer; constant columns are 0."""
    if method == "spearman":
        x = scipy.stats.rankdata(x, axis=0)
    else:
        x = x / np.abs(x).max(axis=0, initial=1e-30)
    x = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    x = x / np.where(np.ptp(x, axis=0) == 0, np.inf, np.linalg.norm(x, axis=0))
    return x.reshape(PAIRS, SAMPLES, -1)


def slow_parts(a, g, method):
    """Sum products, layer by layer, of centred columns and of the means of columns."""
    within = between = 0
    for left, right in zip(standard(a, method), standard(g, method), strict=True):
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


@pytest.mark.parametrize(
    ("samples", "error", "phrase"),
    [
        (7, ValueError, "samples must divide .* 240, into layer pairs; got 7"),
        (480, ValueError, "samples must divide"),
        (2, ValueError, "samples must be at least 3; got 2"),
        (60.0, TypeError, "samples must be a whole number"),
    ],
)
def test_samples_that_do_not_fit_are_an_error(samples, error, phrase):
    with pytest.raises(error, match=phrase):
        layer_parts(*observations(), samples)
