"""capture and capture_channels equal slow loops over samples, nodes and channels."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from acceptance.slow import by_node
from gsnn_models import (
    INPUTS,
    LAYERS,
    MODELS,
    NODES,
    Averaging,
    Block,
    CallsOneBlockTwice,
    DetachedRecords,
    Embedding,
    ExtraInput,
    NarrowRecords,
    Nested,
    Older,
    SharedWeights,
    Silent,
    Smooth,
    TakesNames,
    TinyGSNN,
    Unreadable,
    assert_close,
    assert_equal,
    core,
    data,
    data_for,
    dtype_of,
    slow_capture,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from model_state import assert_unchanged, global_state
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from gsnn_edges import capture, capture_channels

MSE = nn.MSELoss()
SUM = nn.MSELoss(reduction="sum")
NORMS, AGGS = ("l1", "l2", "none"), ("sum", "mean", "max")
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
NAN, INF = float("nan"), float("inf")
# What is captured in training mode is warned of, which test_state.py looks at.
pytestmark = pytest.mark.filterwarnings(
    "ignore:dropout or batch statistics are at work", "ignore:random numbers are drawn in Unlike"
)


# Every setting and model


def test_a_row_for_each_layer_and_sample():
    a, g = (side.reshape(2, 5, NODES) for side in capture(TinyGSNN().eval(), SUM, *data()))
    # Node 4 has a channel in the middle block only: activations of layer 1, gradients of layer 1.
    assert [bool(part[:, 4].any()) for part in (*a, *g)] == [False, True, True, False]
    # Node 2 has no channel anywhere.
    assert not torch.cat([a, g])[..., 2].any()


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


@given(st.data(), st.sampled_from(NORMS), st.sampled_from(AGGS))
def test_random_groups_equal_a_loop_over_channels(data, norm, agg):
    groups = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=9))
    width = len(groups)
    numbers = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
    x = torch.from_numpy(data.draw(hnp.arrays("f8", (2, width), elements=numbers)))
    net = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width)).double()
    net[0].weight.data, net[0].bias.data = torch.eye(width).double(), torch.zeros(width).double()
    a, g = capture(net, SUM, x, x / 2, blocks=["0", "1"], groups=groups, norm=norm, agg=agg)
    credit = 2 * (net[1](x) - x / 2)
    expected = [[*by_node(values, groups, 1 + max(groups), norm, agg)] for values in (x, credit)]
    np.testing.assert_allclose(a, expected[0], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(g, expected[1], rtol=1e-12, atol=1e-6)


# What blocks record


@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("shared", [False, True], ids=["own maps", "shared maps"])
@pytest.mark.parametrize("kind", [Silent, Older])
def test_blocks_that_record_nothing_are_tapped_at_their_linear_maps(kind, use_prenorm, shared):
    make = SharedWeights if shared else partial(TinyGSNN, [LAYERS[0]] * 3)
    models = [make(block=block) for block in (Block, kind)]
    expected, result = (capture(m, MSE, *data(), use_prenorm=use_prenorm) for m in models)
    assert_equal(result, expected)


def test_what_an_earlier_pass_left_is_not_read():
    model, (x, y) = TinyGSNN(), data()
    for block in model.ResBlocks:
        block._store_activations = True
    model(x)
    model.ResBlocks[1].record = lambda pre_norm, activation: None
    assert_equal(capture(model, MSE, 2 * x, y), capture(TinyGSNN(), MSE, 2 * x, y))


class InPlace(Older):
    """Overwrites what its first map gives."""

    def forward(self, state):
        return state + self.lin_out(self.lin_in(state).relu_())


def test_an_activation_that_is_then_overwritten_is_the_one_of_before():
    model = TinyGSNN(block=InPlace)
    assert_equal(capture(model, MSE, *data()), capture(TinyGSNN(), MSE, *data()))


# Any network


def mlp(dtype=torch.float32, inplace=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Linear(4, 6), nn.ReLU(inplace), nn.Linear(6, 6), nn.Dropout(0.0)]
        return nn.Sequential(*layers, nn.Linear(6, 3)).to(dtype)


GROUPS = [[0, 0, 1, 1, 2, 2], [2, 1, 0, 0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_any_network_is_captured_by_its_blocks_and_groups(dtype):
    net, (x, y) = mlp(dtype), data(dtype=dtype)
    options = {"blocks": ["0", "2", "4"], "groups": GROUPS}
    first = net[0](x)
    second = net[2](first.relu())
    loss = MSE(net[4](second), y)
    (credit,) = torch.autograd.grad(loss, second)
    expected = [
        [*by_node(values, groups, 3, "l1", "sum")]
        for values, groups in ((first, GROUPS[0]), (credit, GROUPS[1]))
    ]
    for inplace, batch_size in ((False, None), (True, None), (True, 2)):
        net, options["batch_size"] = mlp(dtype, inplace), batch_size
        with assert_unchanged(net):
            result = capture(net, MSE, x, y, **options)
        assert_close([part[:5] for part in result], expected, TOLERANCE[dtype])
        assert_equal(capture(net, MSE, x, y, use_prenorm=False, **options), result)


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
    expected = capture(model[2], MSE, model[:2](x).detach(), y)
    assert_close(capture(model, MSE, x, y, blocks=model[2].ResBlocks), expected, 2e-6)


# Inputs, losses and grad modes


def test_x_and_y_of_the_caller_are_not_written_to():
    (x, y), before = data(), data()
    x.requires_grad_()
    capture(MODELS["writes to input"](), MSE, x, y)
    assert_equal((x.detach(), y), before)
    assert x.grad is None


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("form", ["outside", "inside", "arrays"])
def test_grad_modes_around_the_call_do_not_matter(around, form):
    model, (x, y) = TinyGSNN(), data()
    expected = capture(model, MSE, x, y)
    with around():
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
    gain = torch.linspace(1, 2, 5)[:, None]
    with torch.inference_mode():
        inside = gain.clone()
    expected = slow_capture(model, MSE, x, y, gain=gain, scale=0.5)
    for value in (gain, inside):
        result = capture(model, MSE, x, y, forward_kwargs={"gain": value, "scale": 0.5})
        assert_close(result, expected, 2e-6)


# Parts of a batch


def sizes_of(model):
    """Rows of each forward pass, filled as they are made."""
    sizes = []
    core(model).ResBlocks[0].register_forward_pre_hook(
        lambda m, inputs: sizes.append(len(inputs[0]))
    )
    return sizes


@pytest.mark.parametrize("crit", [MSE, SUM], ids=["mean", "sum"])
@pytest.mark.parametrize("name", ["plain", "tuple input", "node activity", "whole numbers"])
@pytest.mark.parametrize(
    ("given", "batch_size", "expected"),
    [
        (3, None, [3, 3, 1]),
        (100, None, [7]),
        (3, 5, [5, 2]),
        (None, 3, [3, 3, 1]),
        (None, 6, [6, 1]),
    ],
)
def test_parts_and_loaders_give_what_all_rows_give(name, given, batch_size, expected, crit):
    model = MODELS[name]().eval()
    x, y = data_for(model, rows=7)
    whole, sizes = capture(model, crit, x, y), sizes_of(model)
    samples = [(tuple(p[i] for p in x) if isinstance(x, tuple) else x[i], y[i]) for i in range(7)]
    source = (x, y) if given is None else (DataLoader(samples, batch_size=given),)
    result = capture(model, crit, *source, batch_size=batch_size)
    assert sizes == expected
    assert_close(result, whole, 5e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_parts_equal_the_whole_where_the_reduction_is_told(reduction):
    model, (x, y) = ExtraInput().eval(), data(7)
    crit = partial(nn.functional.mse_loss, reduction=reduction)
    by_row, other = torch.linspace(1, 2, 7)[:, None], torch.ones(4)
    # What has a row for each sample is cut, and nothing else.
    for gain in (
        by_row,
        other,
        [by_row, other],
        (by_row, by_row),
        {"left": by_row, "right": other},
    ):
        options = {"loss_reduction": reduction, "forward_kwargs": {"gain": gain}}
        call = partial(capture, model, crit, x, y, **options)
        for batch_size in (2, 5):
            assert_close(call(batch_size=batch_size), call(), 5e-6)
    told = capture(model, MSE, x[:6], y[:6], batch_size=2, loss_reduction="sum")
    assert_close((told[1] / 3,), (capture(model, MSE, x[:6], y[:6])[1],), 5e-6)


CLASSES = torch.tensor([0, 2, 1, 1, 0])
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("crit", "phrase"),
    [
        (nn.CrossEntropyLoss(WEIGHTS), "CrossEntropyLoss with class weights"),
        (nn.NLLLoss(WEIGHTS), "NLLLoss with class weights"),
        (nn.CrossEntropyLoss(ignore_index=1), "CrossEntropyLoss with ignored targets"),
        (nn.CrossEntropyLoss(), None),
    ],
    ids=["weights", "weights of NLL", "ignored", "even"],
)
def test_a_mean_of_uneven_rows_may_not_be_cut(crit, phrase):
    model, (x, _) = TinyGSNN().eval(), data()
    whole = capture(model, crit, x, CLASSES)
    assert_close(whole, slow_capture(model, crit, x, CLASSES), 2e-6)
    if phrase is None:
        assert_close(capture(model, crit, x, CLASSES, batch_size=2), whole, 5e-6)
        return
    with pytest.raises(ValueError, match=f"all rows weigh the same; got a mean of {phrase}"):
        capture(model, crit, x, CLASSES, batch_size=2)
    crit.reduction = "sum"
    parts = capture(model, crit, x, CLASSES, batch_size=2)
    assert_close(parts, capture(model, crit, x, CLASSES), 5e-6)


CHANGES = {
    "mean of the batch": lambda model, x: x - x.mean(0),
    "earlier rows": lambda model, x: x.cumsum(0),
    "later rows": lambda model, x: x + x.roll(-1, 0),
    "chance": lambda model, x: nn.functional.dropout(x),
    "calls": lambda model, x: model.calls * x,
    "a number of rows": lambda model, x: x + x.view(5, -1, INPUTS)[0, 0],
}


class Unlike(TinyGSNN):
    """Rows that depend on their batch, on chance, or on how often the model was called."""

    def __init__(self, change):
        super().__init__(block=Smooth)
        self.change, self.calls = change, 0

    def forward(self, x):
        self.calls += 1
        return super().forward(CHANGES[self.change](self, x))


def function(prediction, target):
    return MSE(prediction, target)


class Masked(nn.MSELoss):
    def forward(self, prediction, target):
        return super().forward(prediction[target > 0], target[target > 0])


def untracked():
    model = TinyGSNN().eval()
    model.ResBlocks[1].norm = nn.BatchNorm1d(6, track_running_stats=False).eval()
    return model


IGNORED = nn.CrossEntropyLoss(ignore_index=2)
# id -> (model, crit, change of the targets, options, whether parts are exact)
BY_PARTS = {
    "mean": (lambda: TinyGSNN(block=Smooth), MSE, None, {}, True),
    "sum": (lambda: TinyGSNN(block=Smooth), SUM, None, {}, True),
    "told": (lambda: TinyGSNN(block=Smooth), function, None, {"loss_reduction": "mean"}, True),
    "batch norm": (lambda: TinyGSNN(norm="batch", block=Smooth), MSE, None, {"mode": "eval"}, True),
    "dict input": (TakesNames, MSE, None, {}, True),
    "averaging": (Averaging, MSE, None, {}, True),
    "classes": (TinyGSNN, nn.CrossEntropyLoss(), lambda y: y.argmax(1), {}, True),
    "training": (lambda: TinyGSNN(norm="batch", dropout=0.5).train(), MSE, None, {}, False),
    "no statistics": (untracked, MSE, None, {}, False),
    "unknown loss": (TinyGSNN, function, None, {}, False),
    "reduction of its own": (TinyGSNN, Masked(), None, {}, False),
    "ignored": (TinyGSNN, IGNORED, lambda y: y.argmax(1), {}, False),
    "pairs of rows": (TinyGSNN, MSE, lambda y: y[:, None], {}, False),
    "arguments": (ExtraInput, MSE, None, {"forward_kwargs": {"scale": 0.5}}, False),
    **{name: (partial(Unlike, name), MSE, None, {}, False) for name in CHANGES},
}


@pytest.mark.filterwarnings("ignore:batch statistics|Using a target size")
@pytest.mark.parametrize("name", BY_PARTS)
def test_large_models_run_in_parts_where_parts_are_exact(name, monkeypatch):
    make, crit, change, options, exact = BY_PARTS[name]
    model = make() if "training" in name else make().eval()
    x, y = data_for(model, rows=65)
    y = y if change is None else change(y)
    call = partial(capture, model, crit, x, y, seed=3, **options)
    whole = call()
    monkeypatch.setattr("gsnn_edges.activations.passes._PART_BYTES", 8_000)
    with assert_unchanged(model):
        result = call()
    sizes = sizes_of(model)
    call()
    assert sizes[-1] < 60 if exact else sizes[-1] == 65
    assert_close(result, whole, 5e-6 if exact else 0)


class Saved:
    """A tensor that waits for the backward pass; counts its bytes while it is there."""

    now = peak = 0

    def __init__(self, tensor):
        # Detached: an output that holds its own graph would never go.
        self.tensor, self.size = tensor.detach(), tensor.nbytes
        Saved.now += self.size
        Saved.peak = max(Saved.peak, Saved.now)

    def __del__(self):
        Saved.now -= self.size


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_peak_memory_of_the_passes_is_that_of_one_part(dtype):
    def peak_of(rows, batch_size):
        Saved.now = Saved.peak = 0
        with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
            capture(TinyGSNN().eval().to(dtype), MSE, *data(rows), batch_size=batch_size)
        assert Saved.now == 0
        return Saved.peak

    part = peak_of(250, None)
    assert peak_of(2000, 250) == part > 250 * 10 * dtype.itemsize
    assert 3 * part < peak_of(2000, 1000) < 5 * part


# Precision


@pytest.mark.parametrize("model_dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("data_dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("whole", [False, True])
def test_the_precision_is_that_of_the_model(model_dtype, data_dtype, whole):
    model = (Embedding() if whole else TinyGSNN()).to(model_dtype).eval()
    x, y = data_for(model, dtype=data_dtype)
    results = capture(model, MSE, x.numpy(), y.numpy())
    expected = torch.float64 if model_dtype == torch.float64 else torch.float32
    assert [(r.dtype, r.requires_grad) for r in results] == [(expected, False)] * 2
    y = y.to(model_dtype)
    expected = slow_capture(model, MSE, x if whole else x.to(model_dtype), y)
    assert_close(results, expected, TOLERANCE.get(model_dtype, 2e-6))


def smooth(seed=0):
    return TinyGSNN(block=Smooth, seed=seed).eval()


def faint(prediction, target):
    """A thousandth of the mean: gradients of 4,000 rows are below float16's least number."""
    return MSE(prediction.float(), target.float()) * 2.0**-10


def large(prediction, target):
    """Gradients that a loss scaled up for float16 would overflow."""
    return 20000 * MSE(prediction.float(), target.float())


@pytest.mark.parametrize("around", [False, True], ids=["model", "autocast"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(
    ("crit", "rows", "batch_size"),
    [(MSE, 50, None), (MSE, 1000, 300), (faint, 4000, None), (large, 3, None)],
    ids=["mean", "parts", "faint", "large"],
)
@pytest.mark.parametrize("norm", NORMS)
def test_half_precision_is_near_full(dtype, around, crit, rows, batch_size, norm):
    x, y = data(rows=rows)
    expected = capture(smooth(), crit, x, y, norm=norm)
    model = smooth() if around else smooth().to(dtype)
    with torch.autocast("cpu", dtype, enabled=around), assert_unchanged(model):
        result = capture(model, crit, x, y, norm=norm, batch_size=batch_size)
    assert {part.dtype for part in result} == {torch.float32}
    # From the input to a gradient there are about 16 roundings; a square doubles their error.
    share = 8 * torch.finfo(dtype).eps * (2 if norm == "l2" else 1)
    for part, wanted in zip(result, expected, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=0, atol=share * float(wanted.abs().max()))


def test_squares_of_half_precision_are_summed_in_float32():
    x = torch.full((2, 4), 300.0, dtype=torch.float16)  # 300² is beyond float16
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).half()
    net[0].weight.data, net[0].bias.data = torch.eye(4).half(), torch.zeros(4).half()
    for groups in ([0, 0, 1, 1], [1, 0, 1, 0]):
        options = {"blocks": ["0", "1"], "groups": groups, "norm": "l2"}
        a, _ = capture(net, lambda p, y: p.float().mean() / 1e3, x, x, **options)
        np.testing.assert_array_equal(a, np.full((2, 2), 180_000.0))


def test_autocast_around_the_call_keeps_no_casts():
    model, (x, y) = TinyGSNN().eval(), data()
    with torch.autocast("cpu", torch.bfloat16):
        capture(model, MSE, x, y)
        before = model(x)
        model.encode.weight.data.mul_(2)
        torch.clear_autocast_cache()
        assert (model(x) != before).any()
        assert torch.is_autocast_cache_enabled()


# Seeds


def test_dropout_follows_a_seed_or_the_global_generator_which_does_not_move():
    model, (x, y) = TinyGSNN(dropout=0.5).train(), data()
    before = global_state()
    first, again, other = (capture(model, MSE, x, y, seed=seed) for seed in (1, 1, 2))
    assert_equal(again, first)
    assert (other[0] != first[0]).any()
    first, again = capture(model, MSE, x, y), capture(model, MSE, x, y)
    assert_equal(again, first)
    assert global_state() == before
    torch.rand(1)
    assert (capture(model, MSE, x, y)[0] != first[0]).any()


# Channels


@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("norm", NORMS)
def test_capture_is_the_reduction_of_the_channels(norm, agg, use_prenorm):
    model, (x, y) = TinyGSNN(EVEN).double().eval(), data(20, dtype=torch.float64)
    with assert_unchanged(model):
        seen = capture_channels(model, MSE, x, y, use_prenorm=use_prenorm, batch_size=7)
    reduced = [[*by_node(side, EVEN[0], 4, norm, agg)] for side in (seen.a, seen.g)]
    options = {"use_prenorm": use_prenorm, "norm": norm, "agg": agg}
    assert_close(capture(model, MSE, x, y, **options), reduced, 1e-12)
    assert_close(slow_capture(model, MSE, x, y, **options), reduced, 1e-12)
    assert (seen.samples, seen.pairs, seen.nodes.tolist()) == (20, 2, EVEN[0])


# Wrong calls


def with_weight(value, path):
    model = TinyGSNN().eval()
    model.get_submodule(path).bias.data[0] = value
    return {"model": model}


def mixed_devices():
    model = TinyGSNN()
    model.decode.to("meta")
    return {"model": model}


def of_block(block, **options):
    return lambda: {"model": TinyGSNN(block=block)} | options


class Recording(Block):
    """Records what it is told, in the place of an activation."""

    def __init__(self, groups, told):
        super().__init__(groups)
        self.told = told

    def record(self, pre_norm, activation):
        self._last_pre_norm_activation = self.told


def of_output(module, x):
    """Networks whose blocks are the same module twice."""
    net = nn.Sequential(module, module)
    return {"model": net, "x": x, "y": x, "blocks": ["0", "1"], "groups": range(4)}


class NoGrad(nn.Linear):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


class Idle(TinyGSNN):
    """Holds a module that it does not call."""

    def __init__(self):
        super().__init__()
        self.idle = nn.Linear(3, 3)


# id -> (what is wrong, error, phrase)
WRONG = {
    "unknown norm": (lambda: {"norm": "l3"}, ValueError, "norm must be one of 'l1', 'l2'"),
    "pre-norm not recorded": (of_block(Unreadable), TypeError, "try use_prenorm=False"),
    "nothing recorded": (
        of_block(Unreadable, use_prenorm=False), TypeError, "blocks that record _last_activation",
    ),
    "detached records": (of_block(DetachedRecords), ValueError, "carries no gradient"),
    "no tensor recorded": (
        lambda: {"model": TinyGSNN(block=partial(Recording, told=np.ones(5)))},
        TypeError, "Recording left ndarray there",
    ),
    "narrow records": (
        of_block(NarrowRecords), ValueError, r"block 0 .*shape \(5, 7\).*got \(5, 6\)",
    ),
    "output a tuple": (
        lambda: of_output(nn.LSTM(4, 4), torch.ones(5, 4)), TypeError, "LSTM gave tuple: list a",
    ),
    "output without gradient": (
        lambda: of_output(NoGrad(4, 4), torch.ones(5, 4)),
        ValueError, r"output of NoGrad carries no gradient.*run no block under.*use_reentrant=True",
    ),
    "block called twice": (
        lambda: {"model": CallsOneBlockTwice()},
        ValueError, r"3 blocks once.*4 calls.*ResBlocks\[2\], model.ResBlocks\[0\]; list a block",
    ),
    "blocks in another order": (
        lambda: {"blocks": [f"ResBlocks.{i}" for i in (1, 0, 2)]},
        ValueError, r"are listed; 3 calls .*: blocks\[1\], blocks\[0\], blocks\[2\]",
    ),
    "blocks not called": (
        lambda: {"model": Idle(), "blocks": ["idle", "idle"], "groups": [0] * 3},
        ValueError, "0 calls were seen in a forward pass: none",
    ),
    "wrong groups": (
        lambda: {"blocks": ["ResBlocks.0.lin_in", "ResBlocks.1.lin_in"], "groups": range(7)},
        ValueError, r"groups and the output .* agree: block 1 .*\(5, 7\).*got \(5, 6\)",
    ),
    "NaN in all layers": (
        lambda: with_weight(NAN, "encode"), ValueError, "activations must.*0, 1, 3, 4, 5:",
    ),
    "infinite gradient": (
        lambda: with_weight(INF, "decode"), ValueError, "gradients must be finite.*in node 0, 1",
    ),
    "device elsewhere": (
        lambda: {"device": "meta"}, ValueError, r"it lies on cpu: call model.to\('meta'\)",
    ),
    "parameters elsewhere": (mixed_devices, ValueError, "it lies on meta.*'cpu'"),
    "device of no type": (lambda: {"device": 1.5}, ValueError, "device='1.5' must be a torch"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_refused_and_leaves_the_model_alone(name):
    change, error, phrase = WRONG[name]
    call = {"model": TinyGSNN().eval(), "crit": MSE, **dict(zip("xy", data(), strict=True))}
    call |= change()
    with assert_unchanged(call["model"]), pytest.raises(error, match=phrase):
        capture(**call)


@pytest.mark.parametrize("function", [capture, capture_channels])
@pytest.mark.parametrize("names", [list("abcd"), None])
def test_nodes_that_are_not_finite_are_named(names, function):
    model = TinyGSNN(EVEN).eval()
    model.node_names_dict = {"function": list("wxyz")}
    model.ResBlocks[1].lin_in.bias.data[4] = NAN
    name = "y" if names is None else "c"
    with pytest.raises(ValueError, match=f"got 5 NaN .* in node '{name}', of index 2:"):
        function(model, MSE, *data(), node_names=names)


def test_large_sums_of_finite_values_are_finite():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[0].weight.data, net[0].bias.data = torch.eye(4), torch.zeros(4)
    net[1].weight.data.zero_()
    x = torch.full((5, 4), 3e38)
    a, _ = capture(net, MSE, x, torch.ones(5, 4), blocks=["0", "1"], groups=range(4))
    np.testing.assert_array_equal(a, x)


# Devices


# Each of these brings an answer to the host, for which a device would be waited for.
ANSWERS = ("equal", "_local_scalar_dense", "is_nonzero", "nonzero", "bincount", "masked_select")


class Answers(TorchDispatchMode):
    """Counts the calls that a device would be waited for."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ANSWERS:
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("groups", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 2]], ids=["even", "uneven"])
def test_a_device_is_asked_as_often_for_many_layers_as_for_few(agg, groups):
    def answers(layers):
        model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(layers)))
        x = torch.ones(8, 6)
        with Answers() as mode:
            capture(model, MSE, x, x, blocks=list(model), groups=groups, agg=agg)
        return mode.counts

    assert answers(3) == answers(9)


@pytest.mark.gpu
@pytest.mark.parametrize("use_prenorm", [True, False])
@pytest.mark.parametrize("agg", AGGS)
def test_a_gpu_gives_what_the_cpu_gives(agg, use_prenorm):
    options = {"agg": agg, "use_prenorm": use_prenorm}
    model, (x, y) = TinyGSNN(norm="batch").eval(), data()
    expected = capture(model, MSE, x, y, **options)
    with assert_unchanged(model.cuda()):
        results = capture(model, MSE, x, y, device="cuda", seed=1, **options)
    assert {result.device.type for result in results} == {"cuda"}
    assert_close([result.cpu() for result in results], expected, 1e-5)
