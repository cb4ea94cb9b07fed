"""Gradients in half precision survive, and grad modes around a call do not matter."""

import numpy as np
import pytest
import torch
from torch.autograd.graph import get_gradient_edge

from gsnn_edges.activations.gradients import (
    SCALES,
    all_finite,
    full,
    gradients,
    gradients_on,
    is_half,
)

HALF = torch.float16


def graph(dtype, factor):
    """A loss that is a small share of a sum, and the place of the summands."""
    values = torch.linspace(-1, 1, 9, dtype=dtype).requires_grad_()
    middle = values * 2
    unused = values * 3
    return (middle * factor).sum(), [get_gradient_edge(middle), get_gradient_edge(unused)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, HALF], ids=str)
def test_gradients_are_those_of_autograd(dtype):
    gradient, unused = gradients(*graph(dtype, 0.5), half=dtype == HALF)
    np.testing.assert_array_equal(gradient.float(), np.full(9, 0.5))
    assert unused is None


# At 1e-9 all are 0 without a scale; at 60,000 they pass float16's largest number with 2**15.
@pytest.mark.parametrize("factor", [2.0**-30, 1e-6, 1.0, 3.0, 60000.0])
def test_float16_gradients_are_scaled_into_its_range(factor):
    loss, edges = graph(HALF, 1.0)
    scaled = loss.float() * factor
    gradient, _ = gradients(scaled, edges, half=True)
    assert gradient.dtype == torch.float32
    np.testing.assert_allclose(gradient, np.full(9, factor), rtol=2.0**-10)


def test_float16_gradients_vanish_without_a_scale():
    loss, edges = graph(HALF, 1.0)
    gradient, _ = gradients(loss.float() * 2.0**-30, edges, half=False)
    np.testing.assert_array_equal(gradient, np.zeros(9))


def test_gradients_that_no_scale_makes_finite_are_given_as_they_are():
    loss, edges = graph(HALF, 1.0)
    gradient, _ = gradients(loss.float() * torch.inf, edges, half=True)
    assert bool(gradient.isinf().all())


def test_scales_round_nothing():
    np.testing.assert_array_equal(np.frexp(SCALES)[0], np.full(len(SCALES), 0.5))
    assert sorted(SCALES, reverse=True) == list(SCALES)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(torch.float64, torch.float64), (torch.float32,) * 2, (HALF, torch.float32),
     (torch.bfloat16, torch.float32)],
    ids=str,
)  # fmt: skip
def test_half_precision_becomes_full(given, expected):
    assert full(torch.ones(2, dtype=given)).dtype == expected


@pytest.mark.parametrize(
    ("dtypes", "autocast", "expected"),
    [
        ([torch.float32], None, False),
        ([torch.bfloat16, torch.float64], None, False),
        ([torch.float32, HALF], None, True),
        ([torch.float32], HALF, True),
        ([torch.float32], torch.bfloat16, False),
    ],
)
def test_float16_is_known_by_dtypes_and_by_autocast(dtypes, autocast, expected):
    enabled = autocast is not None
    with torch.autocast("cpu", autocast or HALF, enabled=enabled):
        assert is_half(torch.device("cpu"), dtypes) == expected


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt], ids=str)
def test_gradients_are_on_inside_and_as_they_were_outside(around, error):
    with around():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        try:
            with gradients_on():
                inside = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        assert inside == (True, False)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


def test_autocast_keeps_no_casts_of_inside():
    weight, x = torch.nn.Parameter(torch.ones(3, 3)), torch.ones(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with gradients_on():
            assert not torch.is_autocast_cache_enabled()
            x @ weight
            weight.data.fill_(2)
        assert torch.is_autocast_cache_enabled()
        np.testing.assert_array_equal((x @ weight).detach().float(), np.full((2, 3), 6))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], True), ([[1.0], [2.0]], True), ([[1.0], [np.inf]], False), ([[np.nan, 1.0]], False)],
)
def test_all_gradients_are_looked_at_together(values, expected):
    assert all_finite([torch.tensor(each) for each in values]) is expected
