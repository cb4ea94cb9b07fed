"""A model and the random states come back, whatever a capture does to them or fails with."""

import random
import warnings
from collections import deque
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from gsnn_models import (
    MODELS,
    ORIGINALS,
    Averaging,
    Block,
    Caching,
    Delegating,
    FunctionalDropout,
    Nested,
    PlainList,
    TinyGSNN,
    assert_equal,
    blocks_of,
    core,
    data,
    data_for,
    hook,
    lived_in,
    with_norm,
)
from model_state import assert_unchanged, global_state
from torch import nn

from gsnn_edges import capture
from gsnn_edges.activations.preserve_state import unchanged

MSE = nn.MSELoss()
QUIET = pytest.mark.filterwarnings(
    "ignore:dropout or batch statistics are at work", "ignore:batch_size=. changes what is captured"
)
ERRORS = [ZeroDivisionError, KeyboardInterrupt, torch.OutOfMemoryError]


# The guard alone


def give_gradient(model):
    model.plain_gradient = model.decode.bias.grad = torch.ones(3)


def equal_buffer(model):
    norm = model.ResBlocks[1].norm
    norm.running_mean = norm.running_mean.clone()


def flip_one_mode(model):
    model.ResBlocks[0].dropout.train(not model.ResBlocks[0].dropout.training)


CHANGES = {
    "write a parameter": lambda m: m.encode.weight.data.zero_(),
    "write a gradient": lambda m: m.encode.weight.grad.zero_(),
    "drop gradients": lambda m: m.zero_grad(),
    "give a gradient": give_gradient,
    "freeze": lambda m: m.decode.requires_grad_(False),
    "replace a parameter": lambda m: setattr(m.decode, "bias", nn.Parameter(torch.zeros(3))),
    "write a buffer": lambda m: m.ResBlocks[1].norm.running_mean.add_(1),
    "replace a buffer": lambda m: setattr(m.ResBlocks[1].norm, "running_mean", torch.zeros(6)),
    "replace a buffer by its equal": equal_buffer,
    "add a buffer": lambda m: m.register_buffer("late", torch.zeros(2)),
    "train": lambda m: m.train(),
    "flip one mode": flip_one_mode,
    "add a hook": lambda m: m.ResBlocks[2].register_forward_hook(hook),
    "drop hooks": lambda m: m.ResBlocks[0].lin_in._forward_hooks.clear(),
    "flip a flag": lambda m: setattr(m.ResBlocks[1], "_store_activations", True),
    "replace a record": lambda m: setattr(m.ResBlocks[0], "_last_activation", torch.ones(3)),
    "write a record": lambda m: m.ResBlocks[0]._last_activation.add_(1),
    "add an attribute": lambda m: setattr(m.ResBlocks[0], "_batched_index", torch.zeros(9)),
    "drop an attribute": lambda m: delattr(m.ResBlocks[0], "_store_activations"),
    "add a module": lambda m: setattr(m, "late", nn.Linear(2, 2)),
    "replace a module": lambda m: setattr(m, "decode", nn.Linear(5, 3)),
    "drop a module": lambda m: delattr(m, "decode"),
    "draw from Python": lambda m: random.random(),
    "draw from NumPy": lambda m: np.random.random(),  # noqa: NPY002 - the global generator
    "draw from torch": lambda m: torch.rand(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_undone_and_the_proof_would_notice(change):
    model = lived_in(TinyGSNN(norm="batch"))
    for error in (None, ValueError, KeyboardInterrupt):
        with assert_unchanged(model):
            provoke(model, change, error)
    with pytest.raises(AssertionError, match="changed: "), assert_unchanged(model):
        change(model)


def provoke(model, change, error):
    """Change a guarded model, and raise if there is an error to raise."""
    with pytest.raises(error) if error else nullcontext(), unchanged(model, seed=1):
        change(model)
        if error:
            raise error


class Holder:
    """An object of which the guard knows nothing."""

    def __init__(self, module):
        self.module = module


def test_blocks_in_an_object_of_another_class_may_be_named():
    model = TinyGSNN()
    model.other = Holder(Block([0, 1], norm="batch"))
    with assert_unchanged(model.other.module), unchanged(model, blocks=[model.other.module]):
        model.other.module(torch.ones(3, 5))
        model.other.module.late = 1


def test_caches_grow_and_averages_move_inside_alone():
    model, averaging = Caching(), Averaging()
    with unchanged(model), unchanged(averaging):
        model(data()[0])
        averaging(data()[0])
        assert len(model.history) == 1
        assert averaging.steps == 1
        assert all((m != 0).any() for m in (averaging.written, averaging.replaced, averaging.plain))
    assert (model.history, model.by_rows) == ([], {"index": {}, "calls": [0]})
    assert averaging.steps == 0


@pytest.mark.parametrize(
    "container", [deque([1], maxlen=3), {1}, {"a": 1}, [1]], ids=lambda c: type(c).__name__
)
def test_containers_of_every_kind_are_filled_again(container):
    model = TinyGSNN()
    model.container, before = container, container.copy()
    model.loop = [model.container]
    model.loop.append(model.loop)
    with unchanged(model):
        model.container.clear()
        model.loop.clear()
    assert model.container is container
    assert container == before
    assert [id(item) for item in model.loop] == [id(container), id(model.loop)]


def test_a_graph_of_the_caller_survives():
    model = TinyGSNN(norm="batch").eval()
    model.register_buffer("mask", torch.ones(1).expand(5))
    loss = MSE(model(data()[0]), data()[1])
    version = model.encode.weight._version
    with unchanged(model):
        model(data()[0])
    assert model.encode.weight._version == version
    loss.backward()  # raises where a tensor that it has saved was written to
    assert model.encode.weight.grad.abs().sum() > 0


DTYPES = (torch.bool, torch.int64, torch.bfloat16, torch.complex64, torch.float8_e4m3fn)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_of_every_dtype_and_form_come_back(dtype):
    model = nn.Module()
    model.register_buffer("values", torch.tensor([0.0, 1.0, 1.0]).to(dtype))
    model.register_buffer("sparse", torch.eye(3).to_sparse())
    model.register_buffer("resized", torch.arange(3))
    model.register_buffer("meta", torch.ones(3, device="meta"))
    expected = model.values.clone().view(torch.uint8)
    with unchanged(model):
        model.values.zero_()
        model.sparse.mul_(2)
        model.resized.data = torch.zeros(3, dtype=torch.int64)
    np.testing.assert_array_equal(model.values.view(torch.uint8), expected)
    np.testing.assert_array_equal(model.sparse.to_dense(), np.eye(3))
    np.testing.assert_array_equal(model.resized, np.arange(3))


@pytest.mark.gpu
def test_generators_of_a_gpu_come_back():
    model = TinyGSNN().cuda()
    before = torch.cuda.get_rng_state()
    for guarded in (model, TinyGSNN()):
        with unchanged(guarded, seed=1):
            torch.rand(3, device=next(guarded.parameters()).device)
        np.testing.assert_array_equal(torch.cuda.get_rng_state(), before)


# A capture of every model, that succeeds or fails


class RaisesBackwards(torch.autograd.Function):
    """Passes a tensor on, and raises when its gradient comes by."""

    @staticmethod
    def forward(ctx, x, error):
        ctx.error = error
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        raise ctx.error("in backward")


def raising(error, prediction, target):
    raise error("in crit")


def raising_backwards(error, prediction, target):
    return MSE(RaisesBackwards.apply(prediction, error), target)


OUTCOMES = {
    "success": (MSE, nullcontext),
    "interrupt": (
        partial(raising_backwards, KeyboardInterrupt),
        partial(pytest.raises, KeyboardInterrupt, match="in backward"),
    ),
    "NaN": (
        lambda p, y: (p * float("nan")).sum(),
        partial(pytest.raises, ValueError, match="gradients"),
    ),
}


@QUIET
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_as_it_was(name, training, outcome):
    model = lived_in(MODELS[name]().train(training))
    crit, ends = OUTCOMES[outcome]
    with assert_unchanged(model), ends():
        capture(model, crit, *data_for(model), seed=1)


class Breaking(TinyGSNN):
    """Raises in one of its passes."""

    error, calls, last = None, 0, 1

    def forward(self, x):
        self.calls += 1
        state = super().forward(x)
        if self.error and self.calls == self.last:
            raise self.error("in forward")
        return state


AROUND = {
    "bare": lambda m: m,
    "wrapped": lambda m: torch.compile(nn.DataParallel(Nested(m)), backend="eager"),
}


@QUIET
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("where", ["forward", "crit", "backward"])
@pytest.mark.parametrize(("batch_size", "last"), [(None, 1), (3, 2)], ids=["whole", "second part"])
def test_a_wrapped_model_is_as_it_was_after_an_error(where, around, batch_size, last):
    for error in ERRORS:
        gsnn = Breaking(norm="batch", dropout=0.5)
        model = lived_in(AROUND[around](gsnn))
        gsnn.calls, gsnn.last = 0, last
        gsnn.error = error if where == "forward" else None
        crit = {"crit": partial(raising, error), "backward": partial(raising_backwards, error)}
        options = {"batch_size": batch_size, "loss_reduction": "mean"}
        with assert_unchanged(model), pytest.raises(error, match=f"in {where}"):
            capture(model, crit.get(where, MSE), *data(), **options)


# Training and evaluation mode


@pytest.mark.parametrize("name", ["batch norm", "dropout", "nested", "plain list", "delegating"])
def test_the_mode_eval_gives_what_an_evaluated_model_gives(name):
    evaluated, trained, (x, y) = MODELS[name](), MODELS[name]().train(), data()
    core(evaluated).eval()
    for block in blocks_of(evaluated):
        block.eval()
    with assert_unchanged(trained):
        result = capture(trained, MSE, x, y, mode="eval")
    assert_equal(result, capture(evaluated, MSE, x, y))


def untracked():
    return with_norm(nn.BatchNorm1d(6, track_running_stats=False).eval())


def warned(model, **options):
    """What a capture warns of; all of it points at the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        capture(model, MSE, *data(), **options)
    assert {(w.category, w.filename) for w in caught} <= {(UserWarning, __file__)}
    return [str(w.message) for w in caught]


AT_WORK = "dropout or batch statistics are at work in "


@pytest.mark.parametrize(
    ("model", "start"),
    [
        (TinyGSNN(dropout=0.5), AT_WORK + "ResBlocks.0.dropout, ResBlocks.1.dropout, ResBlocks.2"),
        (TinyGSNN(norm="batch", dropout=0.5), AT_WORK + "ResBlocks.0.norm, ResBlocks.0.dropout"),
        (with_norm(nn.Dropout1d(0.2)), AT_WORK + "ResBlocks.1.norm: what"),
        (with_norm(nn.AlphaDropout(0.2)), AT_WORK + "ResBlocks.1.norm: what"),
        (Nested(), AT_WORK + "gsnn.ResBlocks.0.norm"),
        (PlainList(), AT_WORK + "BatchNorm1d, BatchNorm1d, BatchNorm1d: what"),
        (Delegating(), AT_WORK + "BatchNorm1d, BatchNorm1d, BatchNorm1d: what"),
        (untracked(), "batch statistics are at work in ResBlocks.1.norm, in evaluation"),
        (ORIGINALS["functional dropout"](), AT_WORK + "ResBlocks.0, ResBlocks.1, ResBlocks.2: wh"),
        (ORIGINALS["moving norm"](), AT_WORK + "ResBlocks.0.norm, ResBlocks.1.norm, ResBlocks.2"),
        (TinyGSNN(), None),
        (TinyGSNN(norm="batch", dropout=0.5).eval(), None),
        (with_norm(nn.LayerNorm(6)), None),
        (with_norm(nn.Dropout(0.0)), None),
        *((ORIGINALS[name]().eval(), None) for name in ORIGINALS),
    ],
)
def test_the_mode_that_nobody_chose_is_warned_of(model, start):
    texts = warned(model)
    assert len(texts) == (start is not None)
    for text in texts:
        assert text.startswith(start)
        assert 'mode="eval"' in text
        assert text.count("ResBlocks") <= 3
    assert warned(model, mode="eval") == []


@pytest.mark.parametrize("options", [{}, {"mode": "eval"}])
def test_dropout_in_evaluation_mode_is_warned_of(options):
    block = partial(FunctionalDropout, always=True)
    [text] = warned(TinyGSNN(block=block).eval(), **options)
    assert text.startswith("random numbers are drawn in ResBlocks.0, ResBlocks.1, ResBlocks.2, in")


@pytest.mark.parametrize(
    ("model", "batch_size", "warns"),
    [
        (TinyGSNN(norm="batch"), 3, True),
        (TinyGSNN(norm="batch"), 5, False),
        (TinyGSNN(norm="batch").eval(), 4, False),
        (TinyGSNN(dropout=0.5), 4, False),
        (untracked(), 3, True),
        (ORIGINALS["moving norm"](), 3, True),
    ],
)
def test_parts_with_batch_statistics_are_warned_of(model, batch_size, warns):
    start = f"batch_size={batch_size} changes what is captured from 5 rows: batch statistics"
    texts = [text for text in warned(model, batch_size=batch_size) if text.startswith("batch_size")]
    assert [text.startswith(start) for text in texts] == [True] * warns


def test_the_proof_sees_random_states():
    before = global_state()
    with unchanged(TinyGSNN(), seed=1):
        first = torch.rand(3)
        assert global_state() != before
    with unchanged(TinyGSNN(), seed=1):
        np.testing.assert_array_equal(torch.rand(3), first)
    with unchanged(TinyGSNN()):
        inside = torch.rand(3)
    np.testing.assert_array_equal(inside, torch.rand(3))
