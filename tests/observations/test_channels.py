"""All channels, signed, as blocks record them; capture is their reduction."""

import pytest
import torch
from gsnn_models import MODELS, TinyGSNN, data, data_for, in_float64, lived_in
from model_state import assert_unchanged
from torch import nn

from gsnn_edges.activations import capture, capture_channels
from gsnn_edges.activations.nodes import AGGS, NORMS, NodeReducer

MSE = nn.MSELoss()
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
pytestmark = pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work")


def same_channels():
    """The models whose blocks all have the same channels."""
    found = []
    for name, make in MODELS.items():
        blocks = getattr(make(), "ResBlocks", None) or []
        groups = {tuple(getattr(block, "channel_groups", ())) for block in blocks}
        if len({tuple(map(int, group)) for group in groups}) == 1:
            found.append(name)
    return found


@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("norm", NORMS)
def test_capture_is_the_reduction_of_the_channels(norm, agg, use_prenorm):
    model, (x, y) = in_float64(TinyGSNN(EVEN)), data(20, dtype=torch.float64)
    seen = capture_channels(model, MSE, x, y, use_prenorm=use_prenorm)
    reduce = NodeReducer(seen.nodes, 4, norm, agg)
    a, g = capture(model, MSE, x, y, use_prenorm=use_prenorm, norm=norm, agg=agg)
    torch.testing.assert_close(reduce(seen.a), a)
    torch.testing.assert_close(reduce(seen.g), g)
    assert (seen.samples, seen.pairs, seen.a.shape) == (20, 2, (40, 6))


def test_channels_are_what_blocks_record():
    model, (x, y) = TinyGSNN(EVEN).eval(), data(20)
    seen = capture_channels(model, MSE, x, y)
    for block in model.ResBlocks:
        block._store_activations = True
    loss = MSE(model(x), y)
    records = [block._last_pre_norm_activation for block in model.ResBlocks]
    credit = torch.autograd.grad(loss, records)
    torch.testing.assert_close(seen.a, torch.cat(records[:-1]))
    torch.testing.assert_close(seen.g, torch.cat(credit[1:]))
    assert seen.nodes.tolist() == EVEN[0]


@pytest.mark.parametrize("name", same_channels())
def test_the_model_does_not_move(name):
    model = lived_in(MODELS[name]())
    x, y = data_for(model)
    with assert_unchanged(model):
        capture_channels(model, MSE, x, y)


def test_parts_give_the_whole():
    model, (x, y) = in_float64(TinyGSNN(EVEN)), data(20, dtype=torch.float64)
    whole = capture_channels(model, MSE, x, y)
    parts = capture_channels(model, MSE, x, y, batch_size=7)
    torch.testing.assert_close(parts.a, whole.a)
    torch.testing.assert_close(parts.g, whole.g)


@pytest.mark.parametrize(
    ("groups", "phrase"),
    [
        ([[0, 0, 1], [0, 1]], r"ResBlocks\[1\] has 2 of them, and model.ResBlocks\[0\] has 3:"),
        (
            [[0, 0, 1, 2], [0, 0, 1, 2], [0, 1, 1, 0]],
            r"channels 1, 3 belong to other nodes in model.ResBlocks\[2\] than in "
            r"model.ResBlocks\[0\], the first of them to node 1 and to node 0: capture",
        ),
    ],
    ids=["in number", "in nodes"],
)
def test_channels_that_differ_are_refused(groups, phrase):
    model = TinyGSNN(groups)
    with assert_unchanged(model), pytest.raises(ValueError, match=phrase):
        capture_channels(model, MSE, *data())


def test_values_that_are_not_finite_name_the_node():
    model = TinyGSNN(EVEN).eval()
    with torch.no_grad():
        model.ResBlocks[0].lin_in.bias[4] = torch.inf
        model.ResBlocks[0].lin_out.weight[:, 4] = 0
    with pytest.raises(ValueError, match=r"in node 'n\d'.*, of index \d.*: drop or impute"):
        capture_channels(model, MSE, *data(), node_names=[f"n{i}" for i in range(4)])


@pytest.mark.parametrize("option", ["norm", "agg"])
def test_reductions_are_no_options(option):
    with pytest.raises(TypeError, match=option):
        capture_channels(TinyGSNN(EVEN), MSE, *data(), **{option: "sum"})
