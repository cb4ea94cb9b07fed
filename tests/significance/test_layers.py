"""Layers of samples: the rows of one sample stay together."""

import numpy as np
import pytest

from gsnn_edges import backends
from gsnn_edges.layer_pairs import layer_sums
from gsnn_edges.significance import (
    bootstrap_interval,
    effective_sample_size,
    null_moments,
    permutation_test,
)
from gsnn_edges.significance.layers import (
    each_layer,
    in_each_layer,
    layer_products,
    permuted,
    within_layers,
)

LAYERS, SAMPLES = 3, 5


def rows():
    return np.random.default_rng(0).standard_normal((4, LAYERS * SAMPLES)).astype(np.float32)


def slow(fn, layers=LAYERS):
    """Call ``fn`` on each row as a list of layers."""
    return np.array([fn(row.reshape(layers, SAMPLES)) for row in rows().astype(float)])


EXPECTED = {
    within_layers: lambda x: np.concatenate([layer - layer.mean() for layer in x]),
    layer_sums: lambda x: [layer.sum() for layer in x],
    layer_products: lambda x: [p @ q for p in x for q in x],
}


@pytest.mark.parametrize("fn", EXPECTED, ids=lambda fn: fn.__name__)
def test_equals_a_loop_over_layers(library, fn):
    x = library.array(rows())
    found = backends.of(x).call(fn, x, layers=LAYERS)
    np.testing.assert_allclose(library.numpy(found), slow(EXPECTED[fn]), rtol=0, atol=1e-5)


def test_permuted_takes_the_same_order_in_every_layer(library):
    order = np.array([3, 1, 4, 0, 2])
    x, index = library.array(rows()), library.array(order)
    found = backends.of(x).call(permuted, x, index, layers=LAYERS)
    expected = np.stack([row.reshape(LAYERS, SAMPLES)[:, order].ravel() for row in rows()])
    np.testing.assert_array_equal(library.numpy(found), expected)


def test_layers_are_cut_in_order_and_put_side_by_side(library):
    x = library.array(rows())
    parts = each_layer(x, LAYERS)
    whole = rows().reshape(4, LAYERS, SAMPLES)
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(library.numpy(part), whole[:, number])
    halved = in_each_layer(lambda part: part[:2, :], x, backends.of(x), LAYERS)
    np.testing.assert_array_equal(library.numpy(halved), rows()[:2])


@pytest.mark.parametrize(
    "function", [permutation_test, null_moments, effective_sample_size, bootstrap_interval]
)
@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (5, ValueError, "samples must divide the number of observations, 12,"),
        (2, ValueError, "samples must be at least 3; got 2: any two columns of so few"),
        (2.5, TypeError, "samples must be a whole number"),
    ],
)
def test_samples_are_checked_before_any_value_is_read(function, samples, error, message):
    x = np.full((12, 2), np.nan)
    with pytest.raises(error, match=message):
        function(x, x, samples)
