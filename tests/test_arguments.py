"""Shapes that go together, and who is asked to compute."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from gsnn_edges.options import METHODS, PRECISIONS, CorrelationOptions, check_pair

X = np.zeros((4, 2), np.float32)


def test_options_are_those_of_the_types():
    from typing import get_args

    from gsnn_edges._typing import Method, Precision

    assert sorted(METHODS) == sorted(get_args(Method))
    assert sorted(PRECISIONS) == sorted(get_args(Precision))


@pytest.mark.parametrize(
    ("a", "g", "error", "message"),
    [
        (X.tolist(), X, TypeError, "a must be an array"),
        (X, X[0], ValueError, r"g must have 2 dimensions \(observations, nodes\)"),
        (X, X[1:], ValueError, "the same number of observations .*; got 4 and 3"),
        (X[:1], X[:1], ValueError, "at least 2 observations .*; got 1"),
    ],
    ids=["a list", "a vector", "two lengths", "one row"],
)
def test_shapes_that_do_not_go_together(a, g, error, message):
    with pytest.raises(error, match=message):
        check_pair(a, g)


def test_a_pair_that_goes_together_has_any_number_of_columns():
    check_pair(X, X[:, :1])


@pytest.mark.parametrize(
    ("x", "backend", "device", "devices", "expected"),
    [
        (X, None, None, None, False),
        (X, "jax", None, None, False),
        (torch.zeros(4, 2), "torch", "cpu", None, False),
        (jnp.zeros((4, 2)), None, None, None, False),
        (jnp.zeros((4, 2)), None, None, 1, True),
        (X, "jax", None, 1, True),
        (torch.zeros(4, 2), "jax", None, 1, True),
    ],
)
def test_devices_are_shared_when_asked_for(x, backend, device, devices, expected):
    options = CorrelationOptions(backend=backend, device=device, devices=devices)
    assert options.shared(x, x) is expected


@pytest.mark.parametrize(
    ("x", "backend", "device", "message"),
    [
        (X, None, None, "devices=2 needs backend='jax'; got 'numpy'"),
        (X, "torch", None, "devices=2 needs backend='jax'; got 'torch'"),
        (X, "jax", "cpu", "device='cpu' and devices=2 .* give one of them"),
    ],
)
def test_devices_of_others_than_jax(x, backend, device, message):
    with pytest.raises(ValueError, match=message):
        CorrelationOptions(backend=backend, device=device, devices=2).shared(x, x)
