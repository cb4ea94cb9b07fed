"""What is read from the blocks of a model."""

import numpy as np
import pytest
import torch
from gsnn_models import LAYERS, Block, Older, RepeatedBlock, Silent, TinyGSNN, data
from torch import nn

from gsnn_edges.activations.hooks import read, recording


def recorded(model, x, use_prenorm=True, **options):
    """Copies of what is recorded in a pass."""
    found = []
    keep = lambda block, seen: found.append(seen.values.clone())  # noqa: E731
    blocks = options.pop("blocks", None) or model.ResBlocks
    with recording(blocks, use_prenorm, keep, **options):
        model(x)
    return found


def assert_same(found, expected):
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("use_prenorm", [True, False])
def test_each_call_of_a_block_is_recorded(use_prenorm):
    found = recorded(RepeatedBlock().eval(), data()[0], use_prenorm)
    assert [tuple(record.shape) for record in found] == [(5, 7), (5, 6), (5, 7)]
    assert (found[0] != found[2]).any()
    assert any((record < 0).any() for record in found) == use_prenorm


def test_recording_ends_with_the_context():
    model, found = TinyGSNN(), []
    keep = lambda block, seen: found.append(seen)  # noqa: E731
    with pytest.raises(KeyboardInterrupt), recording(model.ResBlocks, True, keep):
        raise KeyboardInterrupt
    model(data()[0])
    assert found == []


@pytest.mark.parametrize("error", [None, KeyboardInterrupt], ids=str)
def test_nothing_holds_the_graph_of_a_pass_at_its_end(error):
    model = TinyGSNN()
    try:
        with recording(model.ResBlocks, True, lambda block, seen: None):
            model(data()[0])
            assert model.ResBlocks[0]._last_activation is not None
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    records = [
        vars(b)[name] for b in model.ResBlocks for name in vars(b) if name.startswith("_last")
    ]
    assert records == [None] * 6


def test_what_an_earlier_pass_left_is_not_read():
    model, (x, _) = TinyGSNN(), data()
    for block in model.ResBlocks:
        block._store_activations = True
    model(x)
    model.ResBlocks[1].record = lambda pre_norm, activation: None
    assert_same(recorded(model, 2 * x), recorded(TinyGSNN(), 2 * x))


@pytest.mark.parametrize(
    ("left", "use_prenorm", "error", "phrase"),
    [
        ({}, True, TypeError, "needs blocks that record _last_pre_norm_activation"),
        (
            {"_last_activation": torch.ones(1, requires_grad=True)},
            True,
            TypeError,
            "try use_prenorm=False",
        ),
        ({"_last_activation": None}, False, TypeError, "left NoneType there: try use_prenorm=True"),
        ({"_last_activation": np.zeros((5, 2))}, False, TypeError, "left ndarray"),
        ({"_last_activation": torch.ones(5, 2)}, False, ValueError, "carries no gradient"),
    ],
    ids=["nothing", "post-norm only", "None", "ndarray", "detached"],
)
def test_a_record_without_a_gradient_is_refused(left, use_prenorm, error, phrase):
    block = Block([0, 1])
    vars(block).update(left)
    with pytest.raises(error, match=phrase):
        read(block, use_prenorm, {})


@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("shared", [False, True], ids=["own maps", "shared maps"])
@pytest.mark.parametrize("kind", [Silent, Older])
def test_blocks_that_record_nothing_are_tapped_at_their_linear_maps(kind, use_prenorm, shared):
    models = [TinyGSNN([LAYERS[0]] * 3, block=block) for block in (Block, kind)]
    if shared:
        for model in models:
            for block in model.ResBlocks:
                block.lin_in, block.lin_out = model.ResBlocks[0].lin_in, model.ResBlocks[0].lin_out
    expected, found = (recorded(model, data()[0], use_prenorm) for model in models)
    assert len(found) == 3
    assert_same(found, expected)
    assert not any(module._forward_hooks for module in models[1].modules())
    assert not any(module._forward_pre_hooks for module in models[1].modules())


class InPlace(Older):
    """Overwrites what its first map gives."""

    def forward(self, state):
        return state + self.lin_out(self.lin_in(state).relu_())


def test_an_activation_that_is_then_overwritten_is_the_one_of_before():
    found = recorded(TinyGSNN(block=InPlace), data()[0])
    assert_same(found, recorded(TinyGSNN(), data()[0]))


# Any module as a block


def mlp(inplace=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace), nn.Linear(3, 2), nn.ReLU(inplace))


@pytest.mark.parametrize("inplace", [False, True])
def test_the_output_of_a_module_is_its_activation(inplace):
    net, (x, _) = mlp(inplace), data()
    found = recorded(net, x, blocks=[net[0], net[2]], by_output=True)
    first = mlp()[0](x).detach()
    np.testing.assert_array_equal(found[0], first)
    np.testing.assert_array_equal(found[1], mlp()[2](first.relu()).detach())
    assert not any(module._forward_hooks for module in net.modules())
    assert not any(hasattr(module, "_store_activations") for module in net.modules())


@pytest.mark.parametrize(
    ("module", "x", "error", "phrase"),
    [
        (nn.LSTM(4, 3), torch.ones(5, 4), TypeError, "a LSTM gave tuple: list a module"),
        (nn.Linear(4, 3), torch.ones(5, 4), ValueError, "output of Linear carries no gradient"),
    ],
    ids=["no tensor", "frozen"],
)
def test_an_output_that_is_no_activation_is_refused(module, x, error, phrase):
    net = nn.Sequential(module.requires_grad_(error is TypeError))
    with pytest.raises(error, match=phrase):
        recorded(net, x, blocks=[module], by_output=True)


def test_a_block_under_no_grad_is_refused():
    net = nn.Sequential(nn.Linear(4, 3))
    phrase = r"run no block under torch.no_grad\(\).*use_reentrant=True"
    with pytest.raises(ValueError, match=phrase), torch.no_grad():
        recorded(net, torch.ones(5, 4), blocks=[net[0]], by_output=True)
