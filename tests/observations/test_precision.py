"""Models and data of every precision, and autocast around the call."""

import numpy as np
import pytest
import torch
from gsnn_models import Embedding, Smooth, TinyGSNN, data, data_for, slow_capture
from model_state import assert_unchanged
from torch import nn

from gsnn_edges import capture
from gsnn_edges.activations.nodes import NORMS

MSE = nn.MSELoss()
HALVES = [torch.bfloat16, torch.float16]


def assert_within(results, expected, share):
    """Within a share of the largest value of each."""
    for result, wanted in zip(results, expected, strict=True):
        wanted = np.asarray(wanted)
        np.testing.assert_allclose(result, wanted, rtol=0, atol=share * np.abs(wanted).max())


def rounding(dtype):
    """From the input to a gradient there are about 16 roundings, of eps / 2 each."""
    return 8 * torch.finfo(dtype).eps


def smooth(seed=0):
    return TinyGSNN(block=Smooth, seed=seed).eval()


@pytest.mark.parametrize("norm", ["l1", "none"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("around", [False, True], ids=["model", "autocast"])
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_precision_is_near_full(dtype, around, seed, norm):
    x, y = data(rows=50)
    expected = capture(smooth(seed), MSE, x, y, norm=norm)
    model = smooth(seed) if around else smooth(seed).to(dtype)
    with torch.autocast("cpu", dtype, enabled=around), assert_unchanged(model):
        result = capture(model, MSE, x, y, norm=norm)
    assert {part.dtype for part in result} == {torch.float32}
    assert_within(result, expected, rounding(dtype))


def test_float64_is_kept_where_x_is_not():
    model, (x, y) = TinyGSNN(norm="batch").double().eval(), data()
    expected = slow_capture(model, MSE, x.double(), y.double())
    for convert in (lambda t: t, lambda t: t.numpy(), lambda t: t.tolist()):
        result = capture(model, MSE, convert(x), convert(y))
        assert {part.dtype for part in result} == {torch.float64}
        assert_within(result, expected, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("frozen", [False, True])
def test_whole_numbers_may_be_inputs(frozen, dtype):
    model = Embedding().requires_grad_(not frozen).to(dtype).eval()
    x, y = data_for(model)
    with assert_unchanged(model):
        result = capture(model, MSE, x.int().numpy(), y)
    assert {part.dtype for part in result} == {
        torch.float64 if dtype == torch.float64 else torch.float32
    }
    assert_within(result, slow_capture(model, MSE, x, y), 2e-6)


# Gradients that are less than float16's least number


def faint(prediction, target):
    """A thousandth of the mean: gradients of 4,000 rows are about 1e-7."""
    return MSE(prediction.float(), target.float()) * 2.0**-10


@pytest.mark.parametrize("around", [False, True], ids=["model", "autocast"])
def test_faint_gradients_do_not_vanish_in_float16(around):
    x, y = data(rows=4000)
    expected = capture(smooth(), faint, x, y)
    model = smooth() if around else smooth().half()
    with torch.autocast("cpu", torch.float16, enabled=around):
        result = capture(model, faint, x, y)
        plain = torch.autograd.grad(
            faint(model(x.to(next(model.parameters()).dtype)), y), model.decode.bias
        )
    assert float(expected[1].abs().max()) < torch.finfo(torch.float16).smallest_normal
    assert torch.isfinite(plain[0]).all()
    assert_within(result, expected, rounding(torch.float16))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("batch_size", [None, 300])
def test_parts_of_a_float16_batch_are_rescaled_in_full_precision(norm, batch_size):
    x, y = data(rows=1000)
    expected = capture(smooth(), MSE, x, y, norm=norm)
    result = capture(smooth().half(), MSE, x, y, norm=norm, batch_size=batch_size)
    share = rounding(torch.float16) * (2 if norm == "l2" else 1)  # a square doubles the error
    assert_within(result, expected, share)


def test_gradients_that_a_scaled_loss_would_overflow_are_there():
    x, y = data(rows=3)
    model = smooth().half()

    def crit(prediction, target):
        return 20000 * MSE(prediction.float(), target.float())

    assert_within(
        capture(model, crit, x, y), capture(smooth(), crit, x, y), rounding(torch.float16)
    )


def test_autocast_around_the_call_keeps_no_casts():
    model, (x, y) = TinyGSNN().eval(), data()
    with torch.autocast("cpu", torch.bfloat16):
        capture(model, MSE, x, y)
        before = model(x)
        model.encode.weight.data.mul_(2)
        torch.clear_autocast_cache()
        assert (model(x) != before).any()
        assert torch.is_autocast_cache_enabled()
