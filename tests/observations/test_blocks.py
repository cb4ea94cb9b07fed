"""Which modules are blocks, what their channels mean, and what is read from them."""

import numpy as np
import pytest
import torch
from gsnn_models import LAYERS, Block, RepeatedBlock, Silent, TinyGSNN, data
from torch import nn

from gsnn_edges.observations.blocks import find_blocks, groups_of, read_record, recording


def with_blocks(*blocks):
    model = TinyGSNN()
    model.ResBlocks = nn.ModuleList(blocks)
    return model


def block_without(name):
    block = Block([0, 1])
    delattr(block, name)
    return block


def block_with_groups(groups):
    block = Block([0, 1])
    del block.channel_groups
    block.channel_groups = groups
    return block


def test_blocks_are_found_in_the_order_of_the_layers():
    model = TinyGSNN()
    assert all(a is b for a, b in zip(find_blocks(model), model.ResBlocks, strict=True))


@pytest.mark.parametrize(
    ("make", "error", "phrase"),
    [
        (lambda: nn.Linear(4, 3), TypeError, "residual blocks in model.ResBlocks; got Linear"),
        (lambda: nn.Sequential(TinyGSNN()), TypeError, "pass the GSNN itself"),
        (lambda: with_blocks(), ValueError, "at least 2 blocks.*got 0"),
        (lambda: with_blocks(Block([0])), ValueError, "at least 2 blocks.*got 1"),
        (
            lambda: with_blocks(Block([0]), block_without("channel_groups")),
            TypeError,
            r"ResBlocks\[1\] \(Block\) must have channel_groups",
        ),
        (
            lambda: with_blocks(block_without("_store_activations"), Block([0])),
            TypeError,
            r"ResBlocks\[0\] \(Block\) must have _store_activations",
        ),
        (
            lambda: with_blocks(nn.Linear(2, 2), nn.Linear(2, 2)),
            TypeError,
            r"ResBlocks\[0\] \(Linear\) must have channel_groups",
        ),
    ],
    ids=["no ResBlocks", "wrapped", "none", "one", "no groups", "no flag", "other modules"],
)
def test_a_model_without_blocks_is_refused(make, error, phrase):
    with pytest.raises(error, match=phrase):
        find_blocks(make())


@pytest.mark.parametrize(
    "kind", [list, np.asarray, torch.tensor, lambda v: torch.tensor(v)[:, None]]
)
def test_channel_groups_may_be_a_list_an_array_or_a_tensor(kind):
    groups, nodes = groups_of([block_with_groups(kind(layer)) for layer in LAYERS])
    assert [group.tolist() for group in groups] == list(LAYERS)
    assert (nodes, groups[0].dtype) == (6, torch.int64)


@pytest.mark.parametrize(
    ("groups", "got"),
    [([0.0, 1.0], "float32"), ([], "shape"), ([0, -1], "int64"), ([True, False], "bool")],
    ids=["floats", "none", "negative", "bools"],
)
def test_channel_groups_that_are_no_node_indices_are_refused(groups, got):
    with pytest.raises(ValueError, match=rf"ResBlocks\[1\].channel_groups must give.*got .*{got}"):
        groups_of([Block([0]), block_with_groups(torch.tensor(groups))])


@pytest.mark.parametrize("use_prenorm", [True, False])
def test_each_call_of_a_block_is_recorded(use_prenorm):
    model = RepeatedBlock().eval()
    with recording(find_blocks(model), use_prenorm) as recorded:
        model(data()[0])
    assert [tuple(record.shape) for record in recorded] == [(5, 7), (5, 6), (5, 7)]
    assert recorded[0] is not recorded[2]
    assert any((record < 0).any() for record in recorded) == use_prenorm


def test_recording_ends_with_the_context():
    model = TinyGSNN()
    with pytest.raises(KeyboardInterrupt), recording(find_blocks(model), True) as recorded:
        raise KeyboardInterrupt
    model(data()[0])
    assert recorded == []


def test_what_an_earlier_pass_left_is_not_read():
    model = TinyGSNN()
    for block in model.ResBlocks:
        block._store_activations = True
    model(data()[0])
    model.ResBlocks[1].record = lambda pre_norm, activation: None
    with recording(find_blocks(model), True) as recorded:
        model(2 * data()[0])
    twin = TinyGSNN()
    with recording(find_blocks(twin), True) as expected:
        twin(2 * data()[0])
    torch.testing.assert_close(recorded, expected, rtol=0, atol=0)


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
        read_record(block, use_prenorm, {})


@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("shared", [False, True], ids=["own maps", "shared maps"])
def test_blocks_that_record_nothing_are_tapped_at_their_linear_maps(use_prenorm, shared):
    models = [TinyGSNN([LAYERS[0]] * 3, block=block) for block in (Block, Silent)]
    if shared:
        for model in models:
            for block in model.ResBlocks:
                block.lin_in, block.lin_out = model.ResBlocks[0].lin_in, model.ResBlocks[0].lin_out
    found = []
    for model in models:
        with recording(find_blocks(model), use_prenorm) as recorded:
            model(data()[0])
        found.append(recorded)
    for expected, tapped in zip(*found, strict=True):
        torch.testing.assert_close(tapped, expected, rtol=0, atol=0)
    assert not any(module._forward_hooks for module in models[1].modules())
    assert not any(module._forward_pre_hooks for module in models[1].modules())
