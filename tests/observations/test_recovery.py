"""A capture that fails, wherever it does, leaves no trace in a model or what lies around it."""

import pytest
import torch
from gsnn_models import Block, Nested, TinyGSNN, blocks_of, data, lived_in
from model_state import assert_unchanged
from torch import nn

from gsnn_edges import capture

MSE = nn.MSELoss()
AROUND = {
    "bare": lambda m: m,
    "data parallel": nn.DataParallel,
    "compiled": lambda m: torch.compile(m, backend="eager"),
    "nested": Nested,
    "all": lambda m: torch.compile(nn.DataParallel(Nested(m)), backend="eager"),
}
ERRORS = [ZeroDivisionError, KeyboardInterrupt, torch.OutOfMemoryError]
pytestmark = pytest.mark.filterwarnings(
    "ignore:dropout or batch statistics are at work:UserWarning",
    "ignore:batch_size=3 changes what is captured:UserWarning",
)


class RaisesBackwards(torch.autograd.Function):
    """Passes a tensor on, and raises when its gradient comes by."""

    @staticmethod
    def forward(ctx, x, error):
        ctx.error = error
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        raise ctx.error("in backward")


class Breaking(TinyGSNN):
    """Raises in one of the passes, in its last call."""

    where, error, calls, last = "nowhere", None, 0, 1

    def forward(self, x):
        self.calls += 1
        state = super().forward(x)
        if self.calls < self.last or self.where == "nowhere":
            return state
        if self.where == "forward":
            raise self.error("in forward")
        return RaisesBackwards.apply(state, self.error)


def loss_of(where, error):
    def crit(prediction, target):
        if where == "crit":
            raise error("in crit")
        return MSE(prediction, target)

    return crit


def breaking(around, where, error, last):
    """A model that was used before, and breaks from now on."""
    gsnn = Breaking(norm="batch", dropout=0.5)
    model = lived_in(AROUND[around](gsnn))
    gsnn.where, gsnn.error, gsnn.calls, gsnn.last = where, error, 0, last
    return model


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("where", ["forward", "crit", "backward"])
@pytest.mark.parametrize(("batch_size", "last"), [(None, 1), (3, 2)], ids=["whole", "second part"])
def test_the_model_is_as_it_was_after_an_error(where, error, around, batch_size, last):
    model = breaking(around, where, error, last)
    options = {"batch_size": batch_size, "loss_reduction": "mean"}
    with assert_unchanged(model), pytest.raises(error, match=f"in {where}"):
        capture(model, loss_of(where, error), *data(), **options)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("mode", [None, "eval"])
def test_the_model_is_as_it_was_after_success(around, mode):
    model = breaking(around, "nowhere", None, 1)
    with assert_unchanged(model):
        capture(model, MSE, *data(), mode=mode)


class Misrecording(Block):
    """Records what it is told to, once it is told."""

    told = None

    def record(self, pre_norm, activation):
        super().record(pre_norm, activation)
        if self.told is not None:
            self._last_pre_norm_activation = self.told


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("told", "phrase"),
    [
        (torch.ones(5, 6), "carries no gradient"),
        (torch.ones(5, 2, requires_grad=True), "block 1 must record activations of shape"),
        ("text", "needs blocks that record"),
    ],
    ids=["detached", "narrow", "text"],
)
def test_the_model_is_as_it_was_after_a_wrong_record(around, told, phrase):
    model = lived_in(AROUND[around](TinyGSNN(norm="batch", block=Misrecording)))
    blocks_of(model)[1].told = told
    with assert_unchanged(model), pytest.raises((TypeError, ValueError), match=phrase):
        capture(model, MSE, *data())


@pytest.mark.parametrize("around", AROUND)
def test_a_network_with_named_blocks_is_as_it_was(around):
    model = breaking(around, "backward", KeyboardInterrupt, 1)
    blocks = [block.lin_in for block in blocks_of(model)]
    groups = [range(block.out_features) for block in blocks]
    with assert_unchanged(model), pytest.raises(KeyboardInterrupt):
        capture(model, MSE, *data(), blocks=blocks, groups=groups)
