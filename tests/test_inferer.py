"""FunctionEdgeInferer equals a slow capture and SciPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from gsnn_models import (
    MODELS,
    NODES,
    ExtraInput,
    TinyGSNN,
    blocks_of,
    data,
    data_for,
    in_float64,
    lived_in,
    slow_capture,
)
from model_state import assert_unchanged, global_state
from oracles import correlation
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges import FunctionEdgeInferer, capture, mrr
from gsnn_edges.activations import capture_channels, resampled
from gsnn_edges.activations.batches import take
from gsnn_edges.activations.nodes import AGGS, NORMS
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.channels import channel_correlation
from gsnn_edges.choosing import Standing, standing
from gsnn_edges.inference import Inference
from gsnn_edges.layer_pairs import layer_pairs
from gsnn_edges.scoring import to_host

MSE = nn.MSELoss()
pytestmark = [
    pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work:UserWarning"),
    pytest.mark.filterwarnings("ignore:x should hold at least 10 samples:UserWarning"),
]
EDGES = [[0, 0, 1, 5, 5, 3, 3], [1, 3, 0, 1, 5, 0, 0]]  # one of them twice
BACKENDS = ["torch", "numpy", "jax"]
METHODS = ["spearman", "pearson"]


def inferer(model=None, edges=EDGES, **options):
    return FunctionEdgeInferer(TinyGSNN().eval() if model is None else model, MSE, edges, **options)


def many(dtype=torch.float32):
    return data(rows=40, dtype=dtype)


def test_every_argument_of_the_constructor_is_an_attribute():
    model, edges = TinyGSNN(), torch.tensor(EDGES)
    made = FunctionEdgeInferer(model, MSE, edges, False, "cpu", "l2", "max", ties="ordinal")
    assert (made.model, made.crit, made.edge_index) == (model, MSE, edges)
    assert (made.use_prenorm, made.device, made.norm, made.agg) == (False, "cpu", "l2", "max")
    assert (made.backend, made.backend_device) == ("torch", None)
    assert (made.ties, made.precision) == ("ordinal", "float32")
    assert (made.blocks, made.groups, made.node_names) == (None, None, None)
    blocks, groups, names = ["encode", "decode"], [0, 1], ["a", "b"]
    made = inferer(blocks=blocks, groups=groups, node_names=names)
    assert (made.blocks, made.groups, made.node_names) == (blocks, groups, names)


def test_positional_arguments_of_fit_mean_what_they_did():
    x, y = many()
    by_place = inferer().fit(x, y, "pearson", 0.2, True, True, 3, 50, 4, False, seed=1)
    by_name = inferer().fit(
        x, y, method="pearson", penalty_factor=0.2, scale_by_act_mean=True, estimate=True,
        estimate_iters=3, estimate_n_samples=50, row_chunk=4, verbose=False, seed=1,
    )  # fmt: skip
    np.testing.assert_array_equal(by_place, by_name)


# W


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("use_prenorm", [True, False], ids=["pre", "post"])
@pytest.mark.parametrize("agg", AGGS)
@pytest.mark.parametrize("norm", NORMS)
def test_every_setting_equals_the_slow_loop_and_scipy(norm, agg, use_prenorm, method):
    # In float64, so that the two agree on which values tie.
    model, (x, y) = TinyGSNN(norm="batch").double().eval(), many(torch.float64)
    settings = {"use_prenorm": use_prenorm, "norm": norm, "agg": agg}
    W = inferer(model, **settings).fit(x, y, method)
    expected = correlation(*slow_capture(model, MSE, x, y, **settings), method)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_equals_the_slow_loop_and_scipy(name):
    model = in_float64(MODELS[name]())
    x, y = data_for(model, rows=40)
    expected = correlation(*slow_capture(model, MSE, x, y))
    np.testing.assert_allclose(inferer(model).fit(x, y), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
def test_backends_agree(method, backend, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    model, (x, y) = TinyGSNN().eval(), many()
    W = inferer(model, backend=backend).fit(x, y, method)
    expected = correlation(*capture(model, MSE, x, y), method)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)
    reference = inferer(model, backend="numpy").fit(x, y, method)
    np.testing.assert_allclose(W, reference, rtol=0, atol=2e-6)


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_result_is_a_float32_array_to_write_to(backend, estimate):
    W = inferer(backend=backend).fit(
        *many(),
        penalty_factor=0.1,
        scale_by_act_mean=True,
        estimate=estimate,
        estimate_iters=2,
        seed=0,
    )
    assert (type(W), W.dtype, W.shape) == (np.ndarray, np.float32, (NODES, NODES))
    assert W.flags.writeable
    W += 1


def test_a_float64_model_gives_float32_scores_too():
    W = inferer(TinyGSNN().double().eval()).fit(*many(), scale_by_act_mean=True, penalty_factor=0.1)
    assert W.dtype == np.float32


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_precision_float64_is_within_1e_9_of_scipy(backend):
    model, (x, y) = TinyGSNN().double().eval(), many(torch.float64)
    W = inferer(model, backend=backend, precision="float64").fit(x, y)
    assert W.dtype == np.float64
    np.testing.assert_allclose(W, correlation(*capture(model, MSE, x, y)), rtol=0, atol=1e-9)


def test_ordinal_ties_are_those_of_scipy():
    model, (x, y) = TinyGSNN().double().eval(), many(torch.float64)
    settings = {"use_prenorm": False}
    expected = correlation(*capture(model, MSE, x, y, **settings), ties="ordinal")
    W = inferer(model, ties="ordinal", **settings).fit(x, y)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)
    assert np.abs(W - inferer(model, **settings).fit(x, y)).max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_a_node_without_channels_has_no_evidence(method):
    W = inferer().fit(*many(), method)
    np.testing.assert_array_equal(W[2], np.zeros(NODES))
    np.testing.assert_array_equal(W[:, 2], np.zeros(NODES))
    assert np.count_nonzero(W) == (NODES - 1) ** 2


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_of_the_loss_does_not_matter(method):
    model, (x, y) = TinyGSNN().eval(), many()

    def faint(prediction, target):
        return MSE(prediction, target) * 2.0**-60

    expected = inferer(model).fit(x, y, method)
    W = FunctionEdgeInferer(model, faint, EDGES).fit(x, y, method)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("row_chunk", [1, 4, 6, 100])
@pytest.mark.parametrize("backend", BACKENDS)
def test_row_chunk_does_not_change_the_answer(backend, row_chunk):
    made, (x, y) = inferer(backend=backend), many()
    np.testing.assert_allclose(made.fit(x, y, row_chunk=row_chunk), made.fit(x, y), atol=1e-6)


@pytest.mark.parametrize("estimate", [False, True])
def test_batch_size_cuts_the_passes_and_does_not_change_the_answer(estimate):
    model, (x, y), seen = TinyGSNN().double().eval(), many(torch.float64), []
    options = {"estimate": estimate, "seed": 0}
    whole = inferer(model).fit(x, y, **options)
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    parts = inferer(model).fit(x, y, batch_size=15, **options)
    assert seen == [15, 15, 10]
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimate", [False, True])
def test_further_arguments_reach_the_model(estimate):
    x, y = many(torch.float64)
    gain = torch.linspace(1, 2, 40)[:, None]
    options = {"estimate": estimate, "seed": 0}
    W = inferer(ExtraInput().double().eval()).fit(x, y, forward_kwargs={"gain": gain}, **options)
    expected = inferer(TinyGSNN().double().eval()).fit(gain * x, y, **options)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "convert", [torch.Tensor.numpy, torch.Tensor.tolist, jnp.asarray], ids=["numpy", "list", "jax"]
)
def test_x_and_y_may_be_of_any_library(convert):
    made, (x, y) = inferer(), many()
    W = made.fit(convert(x), convert(y))
    np.testing.assert_allclose(W, made.fit(x, y), rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_inference_mode_does_not_matter(training, backend, estimate):
    made, (x, y) = inferer(TinyGSNN().train(training), backend=backend), many()
    options = {"estimate": estimate, "estimate_iters": 2, "seed": 0}
    expected = made.fit(x, y, **options)
    with torch.inference_mode():
        W = made.fit(x, y, **options)
    np.testing.assert_array_equal(W, expected)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_gpu_gives_what_the_cpu_gives(backend):
    model, (x, y) = TinyGSNN(norm="batch").double().eval(), many(torch.float64)
    expected = inferer(model).fit(x, y)
    made = inferer(model.cuda(), device="cuda", backend=backend)
    np.testing.assert_allclose(made.fit(x, y), expected, rtol=0, atol=1e-6)


# Other models, inputs and modes


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("name", ["tuple input", "dict input", "node activity"])
def test_a_loader_gives_what_its_rows_give(name, estimate):
    made = inferer(in_float64(MODELS[name]()))
    x, y = data_for(made.model, rows=40)
    samples = DataLoader([(take(x, i), y[i]) for i in range(40)], batch_size=15)
    options = {"estimate": estimate, "seed": 0}
    W, expected = made.fit(samples, **options), made.fit(x, y, **options)
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)


def test_the_batches_of_a_loader_are_those_of_the_passes():
    model, seen = TinyGSNN().eval(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    inferer(model).fit(DataLoader(TensorDataset(*many()), batch_size=15))
    assert seen == [15, 15, 10]


@pytest.mark.parametrize("estimate", [False, True])
def test_a_reduction_that_is_told_lets_any_loss_be_cut(estimate):
    model, (x, y) = TinyGSNN().double().eval(), many(torch.float64)
    made = FunctionEdgeInferer(model, nn.functional.mse_loss, EDGES)
    options = {"estimate": estimate, "seed": 0}
    parts = made.fit(x, y, batch_size=15, loss_reduction="mean", **options)
    np.testing.assert_allclose(parts, made.fit(x, y, **options), rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("rows", [10, 50])
def test_the_mode_eval_gives_what_an_evaluated_model_gives(estimate, rows):
    options = {"estimate": estimate, "estimate_n_samples": rows, "seed": 0}
    trained, evaluated = (
        inferer(TinyGSNN(norm="batch", dropout=0.5).train(training)) for training in (True, False)
    )
    W = trained.fit(*many(), mode="eval", **options)
    np.testing.assert_array_equal(W, evaluated.fit(*many(), **options))


def test_the_mode_that_nobody_chose_is_warned_of_where_fit_is_called():
    with pytest.warns(UserWarning, match="ResBlocks.0.dropout.*mode=.eval.") as caught:
        inferer(TinyGSNN(dropout=0.5)).fit(*many())
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("estimate", [False, True])
def test_blocks_and_groups_reach_the_capture(estimate):
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    net.double()
    options = {"blocks": ["0", "2", "4"], "groups": [range(6), range(6), [0, 1, 2]]}
    W = inferer(net, **options).fit(*many(torch.float64), estimate=estimate, seed=0)
    if not estimate:
        expected = correlation(*capture(net, MSE, *many(torch.float64), **options))
        np.testing.assert_allclose(W, expected, rtol=0, atol=1e-6)
    assert (W.shape, np.count_nonzero(W)) == ((6, 6), 36)


def test_nodes_that_are_not_finite_have_their_names():
    model = TinyGSNN().eval()
    blocks_of(model)[1].lin_in.bias.data[0] = np.nan
    with pytest.raises(ValueError, match="in node 'f', of index 5"):
        inferer(model, node_names=list("abcdef")).fit(*many())


# Penalty and scale


def penalised(W, edges, factor):
    """The formula, an edge at a time."""
    W = W.astype(np.float64)
    for source, target in zip(*edges, strict=True):
        W[source] *= 1 + factor
        W[:, target] *= 1 - factor
    return W


@pytest.mark.parametrize("factor", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    "form", [list, np.asarray, torch.tensor, jnp.asarray], ids=lambda f: f.__name__
)
def test_each_known_edge_penalises_its_column_and_lifts_its_row(form, factor):
    W = inferer(edges=form(EDGES)).fit(*many(), penalty_factor=factor)
    expected = penalised(inferer().fit(*many()), EDGES, factor)
    np.testing.assert_allclose(W, expected, rtol=1e-6, atol=0)
    assert W.dtype == np.float32


@pytest.mark.parametrize("edges", [[[], []], np.zeros((2, 0), int), torch.zeros(2, 0).long()])
def test_without_known_edges_nothing_is_penalised(edges):
    W = inferer(edges=edges).fit(*many(), penalty_factor=0.5)
    np.testing.assert_array_equal(W, inferer().fit(*many()))


@pytest.mark.parametrize("norm", NORMS)
def test_scaling_multiplies_rows_by_the_mean_activation(norm):
    model, (x, y) = TinyGSNN().eval(), many()
    made = inferer(model, norm=norm)
    means = np.asarray(slow_capture(model, MSE, x, y, norm=norm)[0]).mean(0)
    expected = made.fit(x, y) * means[:, None]
    W = made.fit(x, y, scale_by_act_mean=True)
    np.testing.assert_allclose(W, expected, rtol=1e-5, atol=1e-6)


def test_scale_and_penalty_go_together():
    x, y = many()
    W = inferer().fit(x, y, penalty_factor=0.3, scale_by_act_mean=True)
    expected = penalised(inferer().fit(x, y, scale_by_act_mean=True), EDGES, 0.3)
    np.testing.assert_allclose(W, expected, rtol=1e-6, atol=0)


# estimate


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_estimate_is_the_mean_of_the_draws(training, method, scale):
    made, (x, y) = inferer(TinyGSNN(dropout=0.5).train(training)), many()
    draws = resampled(made.observe, made.model, x, y, draws=3, rows=30, seed=7, forward_kwargs={})
    matrices = [
        correlation(a, g, method) * (a.numpy().mean(0)[:, None] if scale else 1) for a, g in draws
    ]
    W = made.fit(
        x, y, method, scale_by_act_mean=scale, estimate=True, estimate_iters=3,
        estimate_n_samples=30, seed=7,
    )  # fmt: skip
    np.testing.assert_allclose(W, np.mean(matrices, axis=0), rtol=0, atol=2e-6)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_estimate_follows_its_seed(training):
    made, (x, y) = inferer(TinyGSNN(dropout=0.5).train(training)), many()
    first, again, other = (
        made.fit(x, y, estimate=True, estimate_iters=2, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(again, first)
    assert np.abs(other - first).max() > 1e-3


def test_estimate_without_a_seed_varies():
    made, (x, y) = inferer(), many()
    first, second = (made.fit(x, y, estimate=True, estimate_n_samples=20) for _ in range(2))
    assert np.abs(second - first).max() > 1e-3


def test_estimate_of_many_rows_comes_near_the_whole():
    made, (x, y) = inferer(), many()
    W = made.fit(x, y, estimate=True, estimate_iters=4, estimate_n_samples=5000, seed=0)
    np.testing.assert_allclose(W, made.fit(x, y), rtol=0, atol=0.03)


def test_estimate_costs_one_pass_in_evaluation_mode():
    model, passes = TinyGSNN().eval(), []
    model.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    inferer(model).fit(*many(), estimate=True)
    assert passes == [40]


def test_fit_is_repeatable_bit_for_bit():
    made, (x, y) = inferer(TinyGSNN(dropout=0.5).train()), many()
    np.testing.assert_array_equal(made.fit(x, y), made.fit(x, y))
    assert np.abs(made.fit(x, y, seed=1) - made.fit(x, y, seed=2)).max() > 1e-3


# What must not happen


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_model_and_the_global_generators_do_not_move(name, estimate):
    model = lived_in(MODELS[name]().train())
    x, y = data_for(model)
    with assert_unchanged(model):
        inferer(model).fit(x, y, estimate=estimate, estimate_iters=2, estimate_n_samples=20)


def test_known_edges_are_not_written_to():
    edges, before = np.array(EDGES), np.array(EDGES)
    inferer(edges=edges).fit(*many(), penalty_factor=0.5)
    np.testing.assert_array_equal(edges, before)


@pytest.mark.parametrize(
    ("verbose", "estimate", "speaks"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
def test_progress_is_shown_on_stderr_when_asked_for(verbose, estimate, speaks, capfd):
    inferer().fit(*many(), estimate=estimate, verbose=verbose)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert ("resampled batches" in printed.err) == speaks
    assert bool(printed.err) == speaks


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_an_interrupt_during_estimate_leaves_no_trace(training, verbose, monkeypatch):
    made = inferer(lived_in(TinyGSNN(dropout=0.5).train(training)))
    calls = []

    def interrupt(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.zeros((NODES, NODES))

    monkeypatch.setattr(Inference, "scaled", interrupt)
    with assert_unchanged(made.model), pytest.raises(KeyboardInterrupt):
        made.fit(*many(), estimate=True, verbose=verbose)


# Wrong calls

NAN = float("nan")
# What is wrong with the constructor: id -> (arguments, error, phrase).
WRONG_MADE = {
    "norm": ({"norm": "l3"}, ValueError, "norm must be one of 'l1', 'l2', 'none'; got 'l3'"),
    "agg": ({"agg": None}, ValueError, "agg must be one of 'sum', 'mean', 'max'; got None"),
    "ties": ({"ties": "min"}, ValueError, "ties must be one of 'average', 'ordinal'; got 'min'"),
    "precision": ({"precision": "float16"}, ValueError, "precision must be one of 'float32'"),
    "backend": ({"backend": "cupy"}, ValueError, "backend.* must be one of .*got 'cupy'"),
    "edges transposed": ({"edges": [[0, 1], [1, 2], [2, 3]]}, ValueError, r"\(2, E\).*\(3, 2\)"),
    "edges flat": ({"edges": [0, 1]}, ValueError, r"edge_index must have shape \(2, E\)"),
    "edges of floats": ({"edges": [[0.0], [1.0]]}, TypeError, "edge_index must hold whole numbers"),
    "edges negative": ({"edges": [[0], [-1]]}, ValueError, "edge_index must hold node indices.*-1"),
}  # fmt: skip
# What is wrong with fit: id -> (arguments of the constructor, of fit, error, phrase).
WRONG_FIT = {
    "model": ({"model": nn.Linear(4, 3)}, {}, TypeError, "residual blocks in model.ResBlocks"),
    "one block": ({"model": TinyGSNN([[0, 1]])}, {}, ValueError, "at least 2 blocks"),
    "device": ({"device": "meta"}, {}, ValueError, "device='meta'.*it lies on cpu"),
    "source of no node": (
        {"edges": [[6], [0]]}, {}, ValueError, r"edge_index must hold sources in 0 .. 5.*got 6",
    ),
    "target of no node": (
        {"edges": [[0], [99]]}, {}, ValueError, r"edge_index must hold targets in 0 .. 5.*got 99",
    ),
    "method": ({}, {"method": "kendall"}, ValueError, "method must be one of .*got 'kendall'"),
    "penalty 1": ({}, {"penalty_factor": 1}, ValueError, r"penalty_factor must lie in \[0, 1\)"),
    "penalty negative": ({}, {"penalty_factor": -0.1}, ValueError, r"must lie in \[0, 1\).*-0.1"),
    "penalty NaN": ({}, {"penalty_factor": NAN}, ValueError, r"must lie in \[0, 1\).*nan"),
    "penalty text": ({}, {"penalty_factor": "a"}, TypeError, "penalty_factor must be a number"),
    "penalty overflows": (
        {"edges": np.zeros((2, 500), int)}, {"penalty_factor": 0.9},
        ValueError, "penalty_factor=0.9 is too large for a node with 500 known edges",
    ),
    "row_chunk 0": ({}, {"row_chunk": 0}, ValueError, "row_chunk must be at least 1; got 0"),
    "row_chunk 1.5": ({}, {"row_chunk": 1.5}, TypeError, "row_chunk must be a whole number"),
    "estimate_iters 0": (
        {}, {"estimate": True, "estimate_iters": 0}, ValueError, "estimate_iters must be at",
    ),
    "estimate_n_samples 0": (
        {}, {"estimate": True, "estimate_n_samples": 0}, ValueError, "n_samples must be at least 1",
    ),
    "estimate_n_samples 9.5": (
        {}, {"estimate": True, "estimate_n_samples": 9.5}, TypeError, "must be a whole number",
    ),
    "batch_size 0": ({}, {"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
    "mode": ({}, {"mode": "train"}, ValueError, "mode must be one of 'eval'; got 'train'"),
    "reduction": ({}, {"loss_reduction": "max"}, ValueError, "loss_reduction must be one"),
    "y missing": ({}, {"y": None}, TypeError, "y must be a tensor or an array; got NoneType"),
    "groups alone": ({"groups": [0]}, {}, ValueError, "groups must come with blocks"),
    "names": ({"node_names": ["a"]}, {}, ValueError, "node_names must hold a name for each of 6"),
    "seed negative": ({}, {"seed": -1}, ValueError, "seed must be at least 0; got -1"),
    "seed text": ({}, {"seed": "a", "estimate": True}, TypeError, "seed must be a whole number"),
    "argument of no model": ({}, {"forward_kwargs": {"gain": 1}}, TypeError, "unexpected keyword"),
    "x text": ({}, {"x": "abc"}, TypeError, "x must be a tensor or an array; got str"),
    "x with NaN": ({}, {"x": torch.full((5, 4), NAN)}, ValueError, "x must be finite; got 20 NaN"),
    "y longer": ({}, {"y": data(6)[1]}, ValueError, "x and y must have as many rows; got 5 and 6"),
    "y longer, resampled": (
        {}, {"y": data(6)[1], "estimate": True}, ValueError, "x and y must have as many rows",
    ),
    "one observation": (
        {"model": TinyGSNN([[0, 1], [0, 1]]), "edges": [[0], [1]]},
        {"x": data(1)[0], "y": data(1)[1]},
        ValueError, "at least 2 observations",
    ),
    "float64 on JAX": (
        {"model": TinyGSNN().double(), "backend": "jax"}, {}, ValueError, "set jax_enable_x64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_MADE)
def test_a_wrong_constructor_is_refused(name):
    options, error, phrase = WRONG_MADE[name]
    with pytest.raises(error, match=phrase):
        inferer(**options)


@pytest.mark.parametrize("name", WRONG_FIT)
def test_a_wrong_fit_is_refused_and_leaves_the_model_alone(name):
    made_with, fitted_with, error, phrase = WRONG_FIT[name]
    made = inferer(**made_with)
    x, y = data()
    with assert_unchanged(made.model), pytest.raises(error, match=phrase):
        made.fit(**({"x": x, "y": y} | fitted_with))


def test_the_global_generators_do_not_move_when_nothing_is_seeded():
    before = global_state()
    inferer().fit(*many(), estimate=True)
    assert global_state() == before


# infer


EVEN = [[0, 0, 1, 2, 2, 3]] * 3


def even(**options):
    return FunctionEdgeInferer(TinyGSNN(EVEN).eval(), MSE, [[0, 1], [1, 2]], **options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layers", [None, "pooled", "last", 0])
def test_the_channel_score_is_that_of_the_channels(backend, layers):
    made, (x, y) = even(backend=backend), many()
    seen = capture_channels(made.model, MSE, x, y)
    pairs = list(layer_pairs(seen.a, seen.g, seen.samples))
    parts = {None: pairs, "pooled": [(seen.a, seen.g)], "last": pairs[-1:], 0: pairs[:1]}[layers]
    expected = [channel_correlation(a, g, seen.nodes, seen.nodes).numpy() for a, g in parts]
    evidence = made.infer(x, y, score="channels", layers=layers)
    np.testing.assert_allclose(evidence.W, np.mean(expected, axis=0), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(made.fit(x, y, score="channels", layers=layers), evidence.W)


@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_the_standard_error_does_not_follow_the_size_of_a_draw(score):
    made, (x, y) = even(), many()
    errors = [
        made.infer(
            x, y, score=score, estimate=True, estimate_iters=200, estimate_n_samples=rows, seed=0
        ).standard_error
        for rows in (40, 640)
    ]
    # 200 draws know a deviation to 5%; of few samples, W is not quite linear in their counts.
    np.testing.assert_allclose(np.median(errors[0] / errors[1]), 1, rtol=0, atol=0.15)


def test_evidence_says_how_it_was_made():
    made, (x, y) = even(norm="l2"), many()
    evidence = made.infer(x, y, "pearson", score="magnitude", penalty_factor=0.1, seed=3)
    np.testing.assert_array_equal(evidence.W, made.fit(x, y, "pearson", 0.1, seed=3))
    assert evidence.counts == {"samples": 40, "layers": 3, "observations": 80}
    assert evidence.method == "pearson"
    kept = {
        "score": "magnitude",
        "layers": "pooled",
        "norm": "l2",
        "penalty_factor": 0.1,
        "seed": 3,
    }
    assert kept.items() <= evidence.settings.items()
    np.testing.assert_array_equal(evidence.known_edges, [[0, 1], [1, 2]])
    assert evidence.std is None


@pytest.mark.parametrize("score", ["magnitude", "channels"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_estimates_have_the_spread_of_their_draws(score, training):
    made, (x, y) = even(), many()
    made.model.train(training)
    options = {"estimate": True, "estimate_n_samples": 30, "seed": 5, "score": score}
    evidence = made.infer(x, y, estimate_iters=4, **options)
    draws = []
    observe = partial(made.observe, score=score)
    for a, g in resampled(observe, made.model, x, y, draws=4, rows=30, seed=5, forward_kwargs={}):
        if score == "magnitude":
            draws.append(correlation(a, g))
        else:
            nodes = torch.tensor(EVEN[0])
            parts = layer_pairs(a, g, 30)
            found = [channel_correlation(*part, nodes, nodes).numpy() for part in parts]
            draws.append(np.mean(found, axis=0))
    np.testing.assert_allclose(evidence.W, np.mean(draws, axis=0), rtol=0, atol=2e-6)
    expected = np.std(draws, axis=0, ddof=1)
    np.testing.assert_allclose(evidence.std, expected, rtol=0, atol=4e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_channels_are_scaled_by_the_mean_activation_of_their_node(norm):
    made, (x, y) = even(norm=norm), many()
    means = np.asarray(slow_capture(made.model, MSE, x, y, norm=norm)[0]).mean(0)
    expected = made.infer(x, y).W * means[:, None]
    W = made.infer(x, y, scale_by_act_mean=True).W
    np.testing.assert_allclose(W, expected, rtol=1e-5, atol=1e-6)


# The score that the known edges choose

ADJUSTED = {
    "penalty_factor": 0.1,
    "scale_by_act_mean": True,
    "estimate": True,
    "estimate_iters": 3,
    "estimate_n_samples": 30,
    "seed": 5,
}
CIRCLE = np.stack([np.arange(12), (np.arange(12) + 1) % 12])


def wide(**options):
    """Twelve nodes of two channels, and known edges of as many sources."""
    groups = [np.arange(12).repeat(2).tolist()] * 3
    return FunctionEdgeInferer(TinyGSNN(groups).eval(), MSE, CIRCLE, **options)


def decided(score):
    """What makes the choice fall on a score, whatever the matrices are."""
    other = 0.25 if score == "magnitude" else 0.75
    return lambda magnitude, channels, edges: Standing(0.5, other, 0.125, 3.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("agg", AGGS)
def test_the_choice_is_made_between_the_matrices_of_both_scores(backend, norm, agg, monkeypatch):
    made, (x, y) = wide(backend=backend, norm=norm, agg=agg), many()
    seen = {}

    def spy(magnitude, channels, edges):
        seen.update(magnitude=to_host(magnitude).copy(), channels=to_host(channels).copy())
        seen.update(edges=edges)
        return standing(magnitude, channels, edges)

    monkeypatch.setattr("gsnn_edges.inference.standing", spy)
    evidence = made.infer(x, y, score="auto")
    for score in ("magnitude", "channels"):
        np.testing.assert_allclose(seen[score], made.fit(x, y, score=score), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(seen["edges"], CIRCLE)
    expected = standing(seen["magnitude"], seen["channels"], CIRCLE)
    assert evidence.settings["choice"] == expected.as_json()
    np.testing.assert_array_equal(evidence.W, seen[expected.score])


@pytest.mark.parametrize("score", ["magnitude", "channels"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_chosen_score_is_what_it_is_when_asked_for(score, training, monkeypatch):
    monkeypatch.setattr("gsnn_edges.inference.standing", decided(score))
    made, (x, y) = wide(norm="none"), many()
    made.model.train(training)
    chosen = made.infer(x, y, score="auto", **ADJUSTED)
    asked = made.infer(x, y, score=score, **ADJUSTED)
    np.testing.assert_allclose(chosen.W, asked.W, rtol=1e-5, atol=4e-6)
    np.testing.assert_allclose(chosen.std, asked.std, rtol=1e-4, atol=4e-6)
    np.testing.assert_array_equal(made.fit(x, y, score="auto", **ADJUSTED), chosen.W)
    assert {**chosen.settings, "choice": None} == {**asked.settings, "choice": None}
    assert chosen.counts == asked.counts


@pytest.mark.parametrize("backend", BACKENDS)
def test_w_may_stay_where_it_was_made(backend):
    made, (x, y) = wide(backend=backend), many()
    here = made.infer(x, y, score="magnitude", **ADJUSTED)
    there = made.infer(x, y, score="magnitude", on_host=False, **ADJUSTED)
    assert isinstance(here.W, np.ndarray)
    assert isinstance(here.std, np.ndarray)
    kind = {"jax": jax.Array, "torch": torch.Tensor}.get(backend, np.ndarray)
    assert isinstance(there.W, kind)
    assert isinstance(there.std, kind)
    np.testing.assert_array_equal(here.W, np.asarray(there.W))
    np.testing.assert_array_equal(here.std, np.asarray(there.std))
    assert mrr(there.W, CIRCLE, CIRCLE) == mrr(here.W, CIRCLE, CIRCLE)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("on_host", [True, False])
def test_untrained_models_weigh_as_much_as_the_trained_one(on_host, backend):
    made, (x, y) = wide(backend=backend), many()
    options = {"layers": "last", "penalty_factor": 0.1}
    with assert_unchanged(made.model):
        evidence = made.infer(x, y, score="channels", untrained=3, on_host=on_host, **options)
    before = untrained_scores(made, x, y, score="channels", seeds=3, **options)
    after = made.fit(x, y, score="channels", **options)
    expected = (after + np.mean(before, axis=0)) / 2
    np.testing.assert_allclose(np.asarray(evidence.W), expected, rtol=1e-5, atol=1e-6)
    assert evidence.settings["untrained"] == 3


@pytest.mark.parametrize("score", ["channels", "magnitude"])
def test_untrained_models_join_channels_alone(score, monkeypatch):
    monkeypatch.setattr("gsnn_edges.inference.standing", decided(score))
    made, (x, y) = wide(), many()
    found = made.infer(x, y, score="auto", untrained=1)
    asked = made.infer(x, y, score=score, untrained=int(score == "channels"))
    np.testing.assert_allclose(found.W, asked.W, rtol=1e-5, atol=4e-6)
    assert found.settings["untrained"] == int(score == "channels")


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        ({"untrained": -1}, "untrained must be at least 0; got -1"),
        ({"untrained": 2, "estimate": True}, "untrained must be 0 with estimate=True"),
        ({"untrained": 1, "score": "magnitude"}, "untrained must be 0 with score='magnitude'"),
    ],
)
def test_untrained_models_that_make_no_sense_are_refused_before_a_pass(options, phrase):
    def never(prediction, target):
        raise AssertionError("a pass was made")

    made = FunctionEdgeInferer(TinyGSNN().eval(), never, EDGES)
    with pytest.raises(ValueError, match=phrase):
        made.infer(*many(), **options)


def test_directions_are_those_of_the_channels(monkeypatch):
    monkeypatch.setattr("gsnn_edges.inference.standing", decided("channels"))
    made, (x, y) = wide(), many()
    expected = made.fit(x, y, score="channels", n_components=1)
    np.testing.assert_array_equal(made.fit(x, y, score="auto", n_components=1), expected)


def test_few_known_edges_leave_the_channel_score():
    made, (x, y) = even(), many()
    evidence = made.infer(x, y, score="auto")
    np.testing.assert_array_equal(evidence.W, made.infer(x, y, score="channels").W)
    assert set(evidence.settings["choice"].values()) == {None}


def test_infer_names_nodes_and_takes_a_loader():
    made, (x, y) = even(node_names=list("abcd")), many()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16)
    evidence = made.infer(loader)
    assert (evidence.node_names, evidence.counts["samples"]) == (list("abcd"), 40)
    np.testing.assert_allclose(evidence.W, made.infer(x, y).W, rtol=0, atol=2e-6)


def test_infer_refuses_options_that_fit_has_not():
    with pytest.raises(TypeError, match="infer has no option alpha; it has those of fit: penalty"):
        even().infer(*many(), alpha=1)
