"""capture equals a slow loop over samples, nodes and channels, and leaves no trace."""

from collections import Counter
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from gsnn_models import (
    MODELS,
    NODES,
    Block,
    CallsOneBlockTwice,
    DetachedRecords,
    ExtraInput,
    Failing,
    NarrowRecords,
    Nested,
    TinyGSNN,
    Unreadable,
    UnusedLastBlock,
    blocks_of,
    by_node,
    core,
    data,
    data_for,
    dtype_of,
    lived_in,
    slow_capture,
)
from model_state import assert_unchanged, global_state
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges import capture
from gsnn_edges.activations.batches import take
from gsnn_edges.activations.nodes import AGGS, NORMS
from gsnn_edges.activations.passes import Pass, shared_reducers

MSE = nn.MSELoss()
SUM = nn.MSELoss(reduction="sum")
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}
# What is captured in training mode is warned of, which test_the_mode_... looks at.
TRAINING = pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work:UserWarning")


def assert_close(results, expected, tolerance):
    """Within a share of the largest value: sums of signed channels cancel."""
    for result, wanted in zip(results, expected, strict=True):
        wanted = np.asarray(wanted)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance * scale)


def assert_equal(results, expected):
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


# What is captured


@pytest.mark.parametrize("use_prenorm", [True, False], ids=["pre", "post"])
@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_every_setting_equals_the_slow_loop(dtype, norm, agg, use_prenorm):
    model, (x, y) = TinyGSNN(norm="batch").to(dtype).eval(), data(dtype=dtype)
    options = {"norm": norm, "agg": agg, "use_prenorm": use_prenorm}
    expected = slow_capture(model, MSE, x, y, **options)
    assert_close(capture(model, MSE, x, y, **options), expected, TOLERANCE[dtype])


@TRAINING
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_every_model_equals_the_slow_loop(name, training):
    model = MODELS[name]().train(training)
    x, y = data_for(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = slow_capture(model, MSE, x, y)
    result = capture(model, MSE, x, y, seed=3)
    assert_close(result, expected, TOLERANCE.get(dtype_of(model), 2e-6))


def test_row_l_times_b_plus_sample_pairs_a_layer_with_the_next():
    model, (x, y) = TinyGSNN().eval(), data()
    a, g = capture(model, SUM, x, y)
    for sample in range(5):
        one_a, one_g = capture(model, SUM, x[sample : sample + 1], y[sample : sample + 1])
        rows = [sample, 5 + sample]
        assert_close((a[rows], g[rows]), (one_a, one_g), 2e-6)
    # Node 4 has a channel in the middle block only: activations of layer 1, gradients of layer 1.
    assert [bool(part[:, 4].any()) for part in (a[:5], a[5:], g[:5], g[5:])] == [
        False, True, True, False
    ]  # fmt: skip


def test_samples_keep_their_order():
    model, (x, y) = TinyGSNN().eval(), data()
    a, g = capture(model, MSE, x, y)
    turned = capture(model, MSE, x.flip(0), y.flip(0))
    assert_close([t.unflatten(0, (2, 5)).flip(1).flatten(0, 1) for t in turned], (a, g), 2e-6)


def test_a_node_without_channels_is_zero():
    a, g = capture(TinyGSNN(), MSE, *data())
    assert a.shape == g.shape == (10, NODES)
    np.testing.assert_array_equal(a[:, 2], np.zeros(10))
    np.testing.assert_array_equal(g[:, 2], np.zeros(10))


def test_gradients_of_an_unused_last_block_are_zero():
    model, (x, y) = UnusedLastBlock(), data()
    a, g = capture(model, MSE, x, y)
    np.testing.assert_array_equal(g[5:], np.zeros((5, NODES)))
    assert g[:5].any()
    assert a.any()


@pytest.mark.parametrize(
    ("model_dtype", "result_dtype"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
    ],
    ids=str,
)
@pytest.mark.parametrize("data_dtype", [torch.float32, torch.float64], ids=str)
def test_the_precision_is_that_of_the_model(model_dtype, result_dtype, data_dtype):
    results = capture(TinyGSNN().to(model_dtype), MSE, *data(dtype=data_dtype))
    assert [(r.dtype, r.requires_grad) for r in results] == [(result_dtype, False)] * 2


def read_only(x):
    x = x.numpy().copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.numpy(),
        lambda x: x.numpy().astype("f8"),
        lambda x: x.flip(0).numpy()[::-1],
        read_only,
        lambda x: x.tolist(),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.T.contiguous().T,
        lambda x: nn.Parameter(x),
    ],
    ids=["array", "float64", "backwards", "read-only", "list", "with gradient", "strided", "leaf"],
)
def test_x_and_y_may_be_anything_that_is_like_an_array(convert):
    model, (x, y) = TinyGSNN(), data()
    assert_close(capture(model, MSE, convert(x), convert(y)), capture(model, MSE, x, y), 2e-6)


def test_targets_may_be_class_numbers():
    model, (x, _) = TinyGSNN(), data()
    y = torch.tensor([0, 2, 1, 1, 0])
    loss = nn.CrossEntropyLoss()
    assert_close(capture(model, loss, x, y), slow_capture(model, loss, x, y), 2e-6)


def test_x_and_y_of_the_caller_are_not_written_to():
    (x, y), before = data(), data()
    x.requires_grad_()
    capture(MODELS["writes to input"](), MSE, x, y)
    assert_equal((x.detach(), y), before)
    assert x.grad is None


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.set_grad_enabled])
@pytest.mark.parametrize("form", ["outside", "inside", "arrays"])
def test_grad_modes_around_the_call_do_not_matter(around, form):
    model, (x, y) = TinyGSNN(), data()
    expected = capture(model, MSE, x, y)
    with around(False) if around is torch.set_grad_enabled else around():
        if form == "inside":
            x, y = data()
        elif form == "arrays":
            x, y = x.double().numpy(), y.double().numpy()
        with assert_unchanged(model):
            results = capture(model, MSE, x, y)
    assert_equal(results, expected)
    assert not any(result.is_inference() for result in results)


def test_further_arguments_reach_the_model():
    model, (x, y) = ExtraInput(), data()
    gain, y = torch.linspace(1, 2, 5)[:, None], y
    with torch.inference_mode():
        inside = gain.clone()
    expected = slow_capture(model, MSE, x, y, gain=gain, scale=0.5)
    for value in (gain, inside):
        result = capture(model, MSE, x, y, forward_kwargs={"gain": value, "scale": 0.5})
        assert_close(result, expected, 2e-6)


def test_checkpointed_blocks_give_what_the_others_give():
    expected = capture(TinyGSNN(), MSE, *data())
    assert_close(capture(MODELS["checkpointed"](), MSE, *data()), expected, 1e-6)


# Any network


def mlp(dtype=torch.float32, dropout=0.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.Dropout(dropout), nn.Linear(6, 3)]
        return nn.Sequential(*layers).to(dtype)


def by_hand(net, x, y, crit=MSE):
    """Activations of the three linear layers of `mlp`, and the gradients of the loss there."""
    first = net[0](x)
    second = net[2](first.relu())
    last = net[4](second)
    gradients = torch.autograd.grad(crit(last, y), [second, last])
    return (first.detach(), second.detach()), gradients


def rows_of(layers, own, groups):
    """Rows of nodes, layer by layer."""
    pairs = zip(layers, own, strict=True)
    return [row for values, group in pairs for row in by_node(values, group, groups, "l1", "sum")]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("batch_size", [None, 2])
def test_any_network_is_captured_by_its_blocks_and_groups(batch_size, dtype):
    net, (x, y) = mlp(dtype), data(dtype=dtype)
    groups = [[0, 0, 1, 1, 2, 2], [2, 1, 0, 0, 1, 2], [0, 1, 2]]
    options = {"blocks": ["0", net[2], "4"], "groups": groups, "batch_size": batch_size}
    with assert_unchanged(net):
        a, g = capture(net, MSE, x, y, **options)
    activations, gradients = by_hand(net, x, y)
    expected = (
        rows_of(activations, groups[:2], groups),
        rows_of(gradients, groups[1:], groups),
    )
    assert_close((a, g), expected, TOLERANCE[dtype])


def test_what_prenorm_means_does_not_matter_to_outputs():
    net, (x, y) = mlp(), data()
    options = {"blocks": [net[0], net[2]], "groups": range(6)}
    one, two = (capture(net, MSE, x, y, use_prenorm=u, **options) for u in (True, False))
    assert_equal(one, two)


@pytest.mark.parametrize("listed", [None, "modules", "names"])
def test_a_gsnn_inside_a_model_is_captured_in_the_pass_of_the_whole(listed):
    model, (x, y) = Nested().eval(), data()
    names = [f"gsnn.ResBlocks.{i}" for i in range(3)]
    blocks = {"modules": model.gsnn.ResBlocks, "names": names}.get(listed)
    result = capture(model, MSE, x, y, blocks=blocks)
    x = torch.sin(model.before(x)).detach()
    assert_close(result, capture(model.gsnn, MSE, x, y), 2e-6)


def test_one_of_two_gsnns_may_be_named():
    model, (x, y) = nn.Sequential(TinyGSNN(), nn.Linear(3, 4), TinyGSNN(seed=1)).eval(), data()
    assert_close(
        capture(model, MSE, x, y, blocks=model[2].ResBlocks),
        capture(model[2], MSE, model[:2](x).detach(), y),
        2e-6,
    )


# Inputs and losses of every form


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("name", ["tuple input", "dict input"])
def test_inputs_in_parts_give_what_one_tensor_gives(name, batch_size):
    model, (x, y) = MODELS[name]().eval(), data(rows=7)
    result = capture(model, MSE, core(model).form(x), y, batch_size=batch_size)
    assert_close(result, capture(TinyGSNN().eval(), MSE, x, y), 5e-6)


@pytest.mark.parametrize("name", ["plain", "tuple input", "node activity", "whole numbers"])
@pytest.mark.parametrize("batch_size", [3, 4, 100])
def test_a_loader_gives_what_its_rows_give(name, batch_size):
    model, seen = MODELS[name]().eval(), []
    x, y = data_for(model, rows=7)
    first_block = core(model).ResBlocks[0]
    first_block.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    samples = [(take(x, i), y[i]) for i in range(7)]
    result = capture(model, MSE, DataLoader(samples, batch_size=batch_size))
    assert seen == {3: [3, 3, 1], 4: [4, 3], 100: [7]}[batch_size]
    assert_close(result, capture(model, MSE, x, y), 5e-6)


def test_batch_size_goes_before_that_of_a_loader():
    model, seen = TinyGSNN().eval(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    capture(model, MSE, DataLoader(TensorDataset(*data(rows=7)), batch_size=3), batch_size=5)
    assert seen == [5, 2]


def test_a_loss_may_look_at_some_outputs_only():
    model, (x, y) = TinyGSNN().eval(), data()

    def crit(prediction, target):
        return MSE(prediction[:, 1:2], target[:, 1:2])

    result = capture(model, crit, x, y, batch_size=2, loss_reduction="mean")
    assert_close(result, slow_capture(model, crit, x, y), 5e-6)


@pytest.mark.parametrize("form", [tuple, dict])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_targets_in_parts_reach_the_loss_as_they_are(form, batch_size):
    model, (x, y) = TinyGSNN().eval(), data()
    target = (y, 2 * y[:, 0]) if form is tuple else {0: y, 1: 2 * y[:, 0]}

    def crit(prediction, target):
        assert type(target) is form
        return MSE(prediction, target[0]) + MSE(prediction[:, 0], target[1])

    result = capture(model, crit, x, target, batch_size=batch_size, loss_reduction="mean")
    assert_close(result, slow_capture(model, crit, x, target), 5e-6)


# Parts of a batch


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("rows", [7, 64, 101])
def test_ragged_parts_equal_the_whole_where_the_reduction_is_told(rows, reduction):
    model, (x, y) = TinyGSNN(norm="batch").eval(), data(rows=rows)

    def crit(prediction, target):
        return nn.functional.mse_loss(prediction, target, reduction=reduction)

    call = partial(capture, model, crit, x, y, loss_reduction=reduction)
    for batch_size in (2, 5, rows - 1):
        assert_close(call(batch_size=batch_size), call(), 5e-6)


def test_a_reduction_that_is_told_goes_before_that_of_the_loss():
    model, (x, y) = TinyGSNN().eval(), data(rows=8)
    told = capture(model, MSE, x, y, batch_size=2, loss_reduction="sum")
    assert_close((told[1] / 4,), (capture(model, MSE, x, y)[1],), 5e-6)


@pytest.mark.parametrize("crit", [MSE, SUM], ids=["mean", "sum"])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 6, 7, 100])
@pytest.mark.parametrize("name", ["batch norm", "extra input", "frozen", "float64"])
def test_parts_equal_the_whole(name, crit, batch_size):
    model = MODELS[name]().eval()
    x, y = data(rows=7, dtype=dtype_of(model))
    gain = {"gain": torch.linspace(1, 2, 7)[:, None]} if name == "extra input" else None
    call = partial(capture, model, crit, x, y, forward_kwargs=gain)
    assert_close(call(batch_size=batch_size), call(), 5e-6)


def test_parts_are_no_larger_than_asked():
    model, (x, y), seen = TinyGSNN(), data(rows=7), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    capture(model, MSE, x, y, batch_size=3)
    assert seen == [3, 3, 1]


def test_tensors_of_another_length_are_not_cut():
    model, (x, y) = ExtraInput().eval(), data()
    gain = torch.linspace(1, 2, x.shape[1])
    call = partial(capture, model, MSE, x, y, forward_kwargs={"gain": gain})
    assert_close(call(batch_size=2), call(), 5e-6)


def test_a_loss_that_does_not_tell_its_reduction_may_not_be_cut():
    model, (x, y) = TinyGSNN(), data()
    capture(model, nn.functional.mse_loss, x, y, batch_size=5)
    with assert_unchanged(model), pytest.raises(ValueError, match="`reduction` of 'mean' or 'sum'"):
        capture(model, nn.functional.mse_loss, x, y, batch_size=4)


CLASSES = torch.tensor([0, 2, 1, 1, 0])
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("crit", "y", "phrase"),
    [
        (nn.CrossEntropyLoss(WEIGHTS), CLASSES, "CrossEntropyLoss with class weights"),
        (nn.NLLLoss(WEIGHTS), CLASSES, "NLLLoss with class weights"),
        (nn.CrossEntropyLoss(ignore_index=1), CLASSES, "CrossEntropyLoss with ignored targets"),
    ],
    ids=["weights", "weights of NLL", "ignored"],
)
def test_a_mean_of_uneven_rows_may_not_be_cut(crit, y, phrase):
    model, (x, _) = TinyGSNN().eval(), data()
    with pytest.raises(ValueError, match=f"all rows weigh the same; got a mean of {phrase}"):
        capture(model, crit, x, y, batch_size=2)
    assert_close(capture(model, crit, x, y), slow_capture(model, crit, x, y), 2e-6)
    crit.reduction = "sum"
    whole = capture(model, crit, x, y)
    assert_close(capture(model, crit, x, y, batch_size=2), whole, 5e-6)


def test_a_mean_over_classes_may_be_cut():
    model, crit, (x, _) = TinyGSNN().eval(), nn.CrossEntropyLoss(), data()
    parts = capture(model, crit, x, CLASSES, batch_size=2)
    assert_close(parts, capture(model, crit, x, CLASSES), 5e-6)


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


@pytest.mark.parametrize(
    ("make", "phrase"),
    [
        (lambda: TinyGSNN(dropout=0.5), r"ResBlocks.0.dropout, .*mode=.eval."),
        (lambda: TinyGSNN(norm="batch"), r"ResBlocks.0.norm, .*mode=.eval."),
    ],
    ids=["dropout", "batch norm"],
)
def test_the_mode_that_nobody_chose_is_warned_of(make, phrase):
    with pytest.warns(UserWarning, match=phrase) as caught:
        capture(make(), MSE, *data())
    assert [warning.filename for warning in caught] == [__file__]


@TRAINING
def test_parts_with_batch_statistics_are_warned_of():
    with pytest.warns(UserWarning, match="batch_size=3 changes what is captured from 5 rows"):
        capture(TinyGSNN(norm="batch").train(), MSE, *data(), batch_size=3)


# Dropout


@TRAINING
def test_a_seed_makes_dropout_repeatable():
    model, (x, y) = TinyGSNN(dropout=0.5).train(), data()
    first, again, other = (capture(model, MSE, x, y, seed=seed) for seed in (1, 1, 2))
    assert_equal(again, first)
    assert (other[0] != first[0]).any()


@TRAINING
def test_without_a_seed_two_calls_draw_the_same_masks():
    model, (x, y) = TinyGSNN(dropout=0.5).train(), data()
    first, again = capture(model, MSE, x, y), capture(model, MSE, x, y)
    assert_equal(again, first)
    torch.rand(1)
    assert (capture(model, MSE, x, y)[0] != first[0]).any()


@TRAINING
@pytest.mark.parametrize("seed", [None, 1])
def test_the_global_generators_do_not_move(seed):
    before = global_state()
    capture(TinyGSNN(dropout=0.5).train(), MSE, *data(), seed=seed)
    assert global_state() == before


# The model comes back as it was


def raising(error):
    def crit(prediction, target):
        raise error("in crit")

    return crit


OUTCOMES = {
    "success": (MSE, nullcontext),
    "error": (raising(ZeroDivisionError), partial(pytest.raises, ZeroDivisionError)),
    "interrupt": (raising(KeyboardInterrupt), partial(pytest.raises, KeyboardInterrupt)),
    "NaN": (
        lambda p, y: (p * float("nan")).sum(),
        partial(pytest.raises, ValueError, match="gradients"),
    ),
}


@TRAINING
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_as_it_was(name, training, outcome):
    model = lived_in(MODELS[name]().train(training))
    crit, ends = OUTCOMES[outcome]
    with assert_unchanged(model), ends():
        capture(model, crit, *data_for(model), seed=1)


@TRAINING
@pytest.mark.filterwarnings("ignore:batch_size=2 changes what is captured:UserWarning")
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_model_is_as_it_was_when_its_forward_raises(error, batch_size):
    model = Failing(error).train()
    with assert_unchanged(model), pytest.raises(error, match="in forward"):
        capture(model, MSE, *data(), batch_size=batch_size)


# Wrong calls

NAN, INF = float("nan"), float("inf")


def spoilt(value, which=0, place=(3, 1)):
    """Inputs and targets, one number of one of them spoilt."""
    pair = data()
    pair[which][place] = value
    return dict(zip("xy", pair, strict=True))


def with_weight(value, *path):
    model = TinyGSNN().eval()
    model.get_submodule(".".join(path)).bias.data[0] = value
    return {"model": model}


def without_groups():
    model = TinyGSNN()
    del model.ResBlocks[1].channel_groups
    return {"model": model}


def mixed_devices():
    model = TinyGSNN()
    model.decode.to("meta")
    return {"model": model}


def squared_errors(prediction, target):
    return (prediction - target) ** 2


# id -> (what is wrong, error, phrase)
WRONG = {
    "no blocks": (lambda: {"model": nn.Linear(4, 3)}, TypeError, "model.ResBlocks"),
    "one block": (lambda: {"model": TinyGSNN([[0]])}, ValueError, "at least 2 blocks.*got 1"),
    "no groups": (without_groups, TypeError, r"ResBlocks\[1\].*must have channel_groups"),
    "pre-norm not recorded": (
        lambda: {"model": TinyGSNN(block=Unreadable)}, TypeError, "try use_prenorm=False",
    ),
    "nothing recorded": (
        lambda: {"model": TinyGSNN(block=Unreadable), "use_prenorm": False},
        TypeError,
        "needs blocks that record _last_activation",
    ),
    "detached records": (
        lambda: {"model": TinyGSNN(block=DetachedRecords)}, ValueError, "carries no gradient",
    ),
    "narrow records": (
        lambda: {"model": TinyGSNN(block=NarrowRecords)},
        ValueError,
        r"block 0 must record activations of shape \(5, 7\).*got \(5, 6\)",
    ),
    "block called twice": (
        lambda: {"model": CallsOneBlockTwice()},
        ValueError, r"3 blocks once.*4 calls.*ResBlocks\[2\], model.ResBlocks\[0\]; list a block",
    ),
    "unknown norm": (lambda: {"norm": "l3"}, ValueError, "norm must be one of 'l1', 'l2'"),
    "norm None": (lambda: {"norm": None}, ValueError, "norm must be one of .*got None"),
    "unknown agg": (lambda: {"agg": "median"}, ValueError, "agg must be one of 'sum', 'mean'"),
    "x is text": (lambda: {"x": "abc"}, TypeError, "x must be a tensor or an array; got str"),
    "y is None": (lambda: {"y": None}, TypeError, "y must be a tensor or an array; got NoneType"),
    "unknown mode": (lambda: {"mode": "on"}, ValueError, "mode must be one of 'eval'; got 'on'"),
    "unknown reduction": (
        lambda: {"loss_reduction": "none"}, ValueError, "loss_reduction must be one of 'mean'",
    ),
    "argument twice": (
        lambda: {"x": {"left": data()[0]}, "forward_kwargs": {"left": 1}},
        ValueError, "forward_kwargs must not repeat arguments that x holds; got left",
    ),
    "wrong groups": (
        lambda: {"blocks": ["ResBlocks.0.lin_in", "ResBlocks.1.lin_in"], "groups": range(7)},
        ValueError, r"groups and the output .* agree: block 1 .*\(5, 7\).*got \(5, 6\)",
    ),
    "blocks in another order": (
        lambda: {"blocks": [f"ResBlocks.{i}" for i in (1, 0, 2)]},
        ValueError, r"are listed; 3 calls .*: blocks\[1\], blocks\[0\], blocks\[2\]",
    ),
    "block not called": (
        lambda: {"blocks": ["encode", "decode", "ResBlocks.0.norm"][::2], "groups": [0] * 5},
        ValueError, r"block 1 must record activations of shape \(5, 5\).*got \(5, 7\)",
    ),
    "names of nodes": (lambda: {"node_names": ["a"]}, ValueError, "a name for each of 6.*got 1"),
    "x of objects": (
        lambda: {"x": np.full((5, 4), None)}, TypeError, "x must be a tensor or an array",
    ),
    "x a number": (lambda: {"x": torch.tensor(1.0)}, ValueError, r"x must have a row.*shape \(\)"),
    "x empty": (lambda: {"x": torch.ones(0, 4)}, ValueError, r"x must have a row.*shape \(0, 4\)"),
    "y longer": (lambda: {"y": data(6)[1]}, ValueError, "as many rows; got 5 and 6"),
    "NaN in x": (lambda: spoilt(NAN), ValueError, "x must be finite; got 1 NaN.*column 1"),
    "infinity in x": (lambda: spoilt(INF), ValueError, "x must be finite; got 1 NaN.*column 1"),
    "NaN in y": (lambda: spoilt(NAN, 1), ValueError, "y must be finite; got 1 NaN.*column 1"),
    "NaN in a weight": (
        lambda: with_weight(NAN, "ResBlocks", "1", "lin_in"),
        ValueError,
        "activations must be finite; got 5 NaN or infinite values in node 5:",
    ),
    "NaN in all layers": (
        lambda: with_weight(NAN, "encode"), ValueError, "activations must.*0, 1, 3, 4, 5:",
    ),
    "infinite gradient": (
        lambda: with_weight(INF, "decode"), ValueError, "gradients must be finite.*in node 0, 1",
    ),
    "vector loss": (
        lambda: {"crit": squared_errors}, ValueError, r"must give one number.*got \(5, 3\)",
    ),
    "loss is a float": (
        lambda: {"crit": lambda p, y: 1.0}, ValueError, "must give one number.*got float",
    ),
    "loss without the model": (
        lambda: {"crit": lambda p, y: y.sum()}, ValueError, "one number that depends on the model",
    ),
    "batch_size 0": (lambda: {"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
    "batch_size 2.0": (lambda: {"batch_size": 2.0}, TypeError, "batch_size must be a whole number"),
    "batch_size True": (lambda: {"batch_size": True}, TypeError, "batch_size must be a whole"),
    "device elsewhere": (
        lambda: {"device": "meta"}, ValueError, r"it lies on cpu: call model.to\('meta'\)",
    ),
    "parameters elsewhere": (mixed_devices, ValueError, "it lies on meta.*'cpu'"),
    "device unknown": (lambda: {"device": "tpu9"}, ValueError, "device='tpu9' must be a torch"),
    "device of no type": (lambda: {"device": 1.5}, ValueError, "device='1.5' must be a torch"),
    "seed is text": (lambda: {"seed": "one"}, TypeError, "seed must be a whole number; got 'one'"),
    "seed negative": (lambda: {"seed": -1}, ValueError, "seed must be at least 0; got -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_refused_and_leaves_the_model_alone(name):
    change, error, phrase = WRONG[name]
    x, y = data()
    call = {"model": TinyGSNN().eval(), "crit": MSE, "x": x, "y": y} | change()
    model = call.pop("model")
    with assert_unchanged(model), pytest.raises(error, match=phrase):
        capture(model, call.pop("crit"), call.pop("x"), call.pop("y"), **call)


@pytest.mark.parametrize("given", [list("abcdef"), None])
def test_nodes_that_are_not_finite_are_named(given):
    model = with_weight(NAN, "ResBlocks", "1", "lin_in")["model"]
    model.node_names_dict = {"function": list("uvwxyz")}
    name = "z" if given is None else "f"
    with pytest.raises(ValueError, match=f"got 5 NaN .* in node '{name}', of index 5:"):
        capture(model, MSE, *data(), node_names=given)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_named():
    with pytest.raises(ValueError, match="device='cuda' must be a torch device"):
        capture(TinyGSNN(), MSE, *data(), device="cuda")


def test_options_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        capture(TinyGSNN(), MSE, *data(), False)


@pytest.mark.gpu
@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("agg", AGGS)
def test_a_gpu_gives_what_the_cpu_gives(agg, use_prenorm):
    options = {"agg": agg, "use_prenorm": use_prenorm}
    model, (x, y) = TinyGSNN(norm="batch").eval(), data()
    expected = capture(model, MSE, x, y, **options)
    results = capture(model.cuda(), MSE, x, y, device="cuda", **options)
    assert {result.device.type for result in results} == {"cuda"}
    assert_close([result.cpu() for result in results], expected, 1e-5)


def test_blocks_without_a_dropout_or_norm_are_enough():
    model = TinyGSNN([[0, 1], [1, 0]], block=Block)
    assert [t.shape for t in capture(model, MSE, *data())] == [(5, 2), (5, 2)]


# What a device is waited for: each of these brings an answer to the host.
ANSWERS = ("equal", "_local_scalar_dense", "is_nonzero", "nonzero", "bincount", "masked_select")


class Answers(TorchDispatchMode):
    """Counts the calls that a device would be waited for."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ANSWERS:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


def answers(layers, agg, groups):
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(layers)))
    x = torch.randn(8, 6)
    with Answers() as mode:
        capture(model, MSE, x, x, blocks=list(model), groups=groups, agg=agg)
    return mode.found


@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("groups", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 2]], ids=["even", "uneven"])
def test_a_device_is_asked_as_often_for_many_layers_as_for_few(agg, groups):
    assert answers(3, agg, groups) == answers(9, agg, groups)


@pytest.mark.gpu
@pytest.mark.parametrize("agg", AGGS)
def test_a_pass_never_waits_for_a_device(agg, monkeypatch):
    """torch itself raises where a call would wait, in all of a forward and a backward pass."""
    model = TinyGSNN().cuda()
    x, y = (part.cuda() for part in data())
    one_part = Pass.one_part

    def strictly(self, *given):
        torch.cuda.set_sync_debug_mode("error")
        try:
            one_part(self, *given)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Pass, "one_part", strictly)
    capture(model, MSE, x, y, agg=agg, device="cuda")


def test_blocks_of_the_same_groups_share_a_reducer():
    groups = [torch.tensor(nodes) for nodes in ([0, 1], [0, 2], [0, 1])]
    asked = []
    first, second, third = shared_reducers(groups, lambda group: asked.append(group) or object())
    assert first is third
    assert first is not second
    assert len(asked) == 2
