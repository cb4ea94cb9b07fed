"""A model and the random states come back, whatever happens to them."""

import random
from collections import deque
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from gsnn_models import (
    MODELS,
    Averaging,
    Block,
    Caching,
    TinyGSNN,
    data,
    data_for,
    hook,
    lived_in,
    run,
)
from model_state import assert_unchanged, global_state
from torch import nn

from gsnn_edges.activations.preserve_state import can_be_compared, generators_unchanged, unchanged
from gsnn_edges.activations.wrappers import without_compiler


def zero_parameter(model):
    model.encode.weight.data.zero_()


def zero_gradient(model):
    model.encode.weight.grad.zero_()


def drop_gradient(model):
    model.zero_grad()


def give_gradient(model):
    model.plain_gradient = model.decode.bias.grad = torch.ones(3)


def freeze(model):
    model.decode.requires_grad_(False)


def replace_parameter(model):
    model.decode.bias = nn.Parameter(torch.zeros(3))


def write_buffer(model):
    model.ResBlocks[1].norm.running_mean.add_(1)


def replace_buffer(model):
    model.ResBlocks[1].norm.running_mean = torch.zeros(6)


def equal_buffer(model):
    norm = model.ResBlocks[1].norm
    norm.running_mean = norm.running_mean.clone()


def add_buffer(model):
    model.register_buffer("late", torch.zeros(2))


def train(model):
    model.train()


def flip_one_mode(model):
    model.ResBlocks[0].dropout.train(not model.ResBlocks[0].dropout.training)


def add_hook(model):
    model.ResBlocks[2].register_forward_hook(hook)


def drop_hooks(model):
    model.ResBlocks[0].lin_in._forward_hooks.clear()


def flip_flag(model):
    model.ResBlocks[1]._store_activations = True


def replace_record(model):
    model.ResBlocks[0]._last_activation = torch.ones(3)


def write_record(model):
    model.ResBlocks[0]._last_activation.add_(1)


def add_attribute(model):
    model.ResBlocks[0]._batched_index = torch.zeros(1000)


def drop_attribute(model):
    del model.ResBlocks[0]._store_activations


def add_module(model):
    model.late = nn.Linear(2, 2)


def replace_module(model):
    model.decode = nn.Linear(5, 3)


def drop_module(model):
    del model.decode


def draw_from_python(model):
    random.random()


def draw_from_numpy(model):
    np.random.random()  # noqa: NPY002 - the global generator is the point


def draw_from_torch(model):
    torch.rand(1)


CHANGES = [
    zero_parameter, zero_gradient, drop_gradient, give_gradient, freeze, replace_parameter,
    write_buffer, replace_buffer, equal_buffer, add_buffer, train, flip_one_mode, add_hook,
    drop_hooks, flip_flag, replace_record, write_record, add_attribute, drop_attribute, add_module,
    replace_module, drop_module, draw_from_python, draw_from_numpy, draw_from_torch,
]  # fmt: skip
CHANGE = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@CHANGE
def test_the_proof_notices_a_change(change):
    model = lived_in(TinyGSNN(norm="batch"))
    with pytest.raises(AssertionError, match="changed: "), assert_unchanged(model):
        change(model)


@CHANGE
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt], ids=str)
def test_every_change_is_undone(change, error):
    model = lived_in(TinyGSNN(norm="batch"))
    with assert_unchanged(model):
        provoke(model, change, error)


def provoke(model, change, error):
    """Change a guarded model, and raise if there is an error to raise."""
    with pytest.raises(error) if error else nullcontext(), unchanged(model):
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


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt], ids=str)
@pytest.mark.parametrize("seed", [None, 1])
def test_generators_come_back(seed, error):
    before = global_state()
    with pytest.raises(error) if error else nullcontext(), generators_unchanged(seed=seed):
        draw_from_python(None)
        draw_from_numpy(None)
        draw_from_torch(None)
        assert global_state() != before
        if error:
            raise error
    assert global_state() == before


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_pass_of_every_model_is_undone(name, training):
    model = lived_in(MODELS[name]()).train(training)
    x, _ = data_for(model)
    with assert_unchanged(model), without_compiler(), unchanged(model):
        run(model, x)


def test_a_cache_grows_inside_and_is_small_again_outside():
    model = Caching()
    with unchanged(model):
        model(data()[0])
        assert len(model.history) == 1
    assert (model.history, model.by_rows) == ([], {"index": {}, "calls": [0]})


@pytest.mark.parametrize(
    "container", [deque([1], maxlen=3), {1}, {"a": 1}, [1]], ids=lambda c: type(c).__name__
)
def test_containers_of_every_kind_are_emptied_again(container):
    model = TinyGSNN()
    model.container, before = container, container.copy()
    with unchanged(model):
        model.container.clear()
    assert model.container is container
    assert container == before


def test_a_container_that_holds_itself_is_no_trouble():
    model = TinyGSNN()
    model.loop = [1]
    model.loop.append(model.loop)
    with unchanged(model):
        model.loop.clear()
    assert model.loop[0] == 1
    assert model.loop[1] is model.loop


def test_averages_move_inside():
    model = Averaging()
    with unchanged(model):
        model(data()[0])
        assert all((level != 0).any() for level in (model.written, model.replaced, model.plain))


def test_a_graph_of_the_caller_survives():
    model = TinyGSNN(norm="batch").eval()
    x, y = data()
    loss = nn.functional.mse_loss(model(x), y)
    with unchanged(model):
        model(x)
    loss.backward()  # raises where a tensor that it has saved was written to
    assert model.encode.weight.grad.abs().sum() > 0


def test_a_buffer_that_is_one_number_repeated_is_no_trouble():
    model = TinyGSNN()
    model.register_buffer("mask", torch.ones(1).expand(5))
    with unchanged(model):
        model(data()[0])
    np.testing.assert_array_equal(model.mask, np.ones(5))


def test_a_seed_makes_draws_repeatable():
    draws = []
    for seed in (1, 1, 2):
        with unchanged(TinyGSNN(), seed=seed):
            draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] != draws[2]


def test_without_a_seed_draws_follow_the_global_generator():
    with unchanged(TinyGSNN()):
        inside = torch.rand(3)
    np.testing.assert_array_equal(inside, torch.rand(3))


@pytest.mark.gpu
def test_generators_of_a_gpu_come_back():
    model = TinyGSNN().cuda()
    before = torch.cuda.get_rng_state()
    for guarded in (model, TinyGSNN()):
        with unchanged(guarded, seed=1):
            torch.rand(3, device=next(guarded.parameters()).device)
        np.testing.assert_array_equal(torch.cuda.get_rng_state(), before)


def test_blocks_of_a_model_may_be_guarded_alone():
    block = Block([0, 1], norm="batch")
    with assert_unchanged(block), unchanged(block):
        block(torch.ones(3, 5))


DTYPES = (torch.bool, torch.int64, torch.bfloat16, torch.complex64, torch.float8_e4m3fn)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_of_every_dtype_come_back(dtype):
    model = nn.Module()
    model.register_buffer("values", torch.tensor([0.0, 1.0, 1.0]).to(dtype))
    expected = model.values.clone()
    with unchanged(model):
        model.values.zero_()
    np.testing.assert_array_equal(
        model.values.view(torch.uint8).numpy(), expected.view(torch.uint8).numpy()
    )


def test_sparse_tensors_come_back():
    model = nn.Module()
    model.register_buffer("values", torch.eye(3).to_sparse())
    with unchanged(model):
        model.values.mul_(2)
    np.testing.assert_array_equal(model.values.to_dense(), np.eye(3))


def test_a_tensor_that_was_not_written_sees_no_write():
    model = nn.Linear(3, 2)
    version = model.weight._version
    with unchanged(model):
        model(torch.ones(1, 3))
    assert model.weight._version == version


def test_a_tensor_of_another_form_cannot_be_compared():
    x = torch.zeros(2, 3)
    others = [torch.zeros(3, 2), x.double(), x.to_sparse(), x.to("meta")]
    assert can_be_compared(x, x.clone())
    assert [can_be_compared(other, x) for other in others] == [False] * 4
