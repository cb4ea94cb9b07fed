"""FunctionEdgeInferer equals a slow capture and SciPy, draw by draw; known edges choose a score."""

import json
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from acceptance import slow
from gsnn_models import (
    MODELS,
    NODES,
    ExtraInput,
    PlainList,
    TinyGSNN,
    data,
    data_for,
    in_float64,
    lived_in,
    slow_capture,
    with_norm,
)
from model_state import assert_unchanged, global_state
from oracles import correlation, reciprocal_ranks
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges import FunctionEdgeInferer, capture, capture_channels
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.scoring import compare_scores

MSE = nn.MSELoss()
pytestmark = pytest.mark.filterwarnings(
    "ignore:dropout or batch statistics are at work",
    "ignore:batch statistics are at work",
    "ignore:x should hold at least 10 samples",
)
NORMS = ("l1", "l2", "none")
EDGES = [[0, 0, 1, 5, 5, 3, 3], [1, 3, 0, 1, 5, 0, 0]]  # one of them twice
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
BACKENDS = ["torch", "numpy", "jax"]
METHODS = ["spearman", "pearson"]
BOTH = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])


def inferer(model=None, edges=EDGES, **options):
    return FunctionEdgeInferer(TinyGSNN().eval() if model is None else model, MSE, edges, **options)


def even(**options):
    return inferer(TinyGSNN(EVEN).eval(), [[0, 1], [1, 2]], **options)


def many(dtype=torch.float32):
    return data(rows=40, dtype=dtype)


def close(W, expected, atol=1e-6):
    np.testing.assert_allclose(W, expected, rtol=0, atol=atol)


def test_every_argument_of_the_constructor_is_an_attribute():
    names = ("model", "crit", "edge_index", "use_prenorm", "device", "norm", "agg")
    given = (TinyGSNN(), MSE, torch.tensor(EDGES), False, "cpu", "l2", "max")
    others = {
        "ties": "ordinal",
        "precision": "float64",
        "backend": "jax",
        "node_names": [*"abcdef"],
    }
    made = FunctionEdgeInferer(*given, **others)
    for name, value in {**dict(zip(names, given, strict=True)), **others}.items():
        assert getattr(made, name) is value
    assert (inferer().backend, made.backend_device, made.blocks) == ("torch", None, None)
    assert repr(made) == (
        "FunctionEdgeInferer of TinyGSNN: 3 blocks, 6 function nodes; correlation by jax"
    )
    with pytest.raises((TypeError, ValueError), match="model"):
        FunctionEdgeInferer(torch.nn.Linear(2, 2), MSE, torch.tensor(EDGES))


# W


@pytest.mark.parametrize("name", MODELS)
def test_every_model_equals_the_slow_loop_and_scipy(name):
    model = in_float64(MODELS[name]())
    x, y = data_for(model, rows=40)
    close(inferer(model).fit(x, y), correlation(*slow_capture(model, MSE, x, y)))


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
def test_backends_agree(method, backend, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    made, (x, y) = inferer(backend=backend), many()
    W = made.fit(x, y, method)
    assert (type(W), W.dtype, W.shape) == (np.ndarray, np.float32, (NODES, NODES))
    close(W, correlation(*capture(made.model, MSE, x, y), method))
    close(W, inferer(backend="numpy").fit(x, y, method), 2e-6)
    for row_chunk in (1, 4, 100):
        close(made.fit(x, y, method, row_chunk=row_chunk), W)
    # A node without channels has no evidence.
    assert np.count_nonzero(W) == (NODES - 1) ** 2
    np.testing.assert_array_equal(np.r_[W[2], W[:, 2]], 0)
    assert W.flags.writeable


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize("ties", ["average", "ordinal"])
@pytest.mark.parametrize(("precision", "atol"), [("float32", 1e-6), ("float64", 1e-9)])
def test_precision_and_ties_are_those_of_scipy(backend, ties, precision, atol):
    model, (x, y) = TinyGSNN().double().eval(), many(torch.float64)
    settings = {"use_prenorm": False}
    W = inferer(model, backend=backend, precision=precision, ties=ties, **settings).fit(x, y)
    assert W.dtype == precision
    observations = capture(model, MSE, x, y, **settings)
    close(W, correlation(*observations, ties=ties), atol)
    other = {"average": "ordinal", "ordinal": "average"}[ties]
    assert np.abs(W - correlation(*observations, ties=other)).max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_of_the_loss_does_not_matter(method):
    made, (x, y) = inferer(), many()
    faint = FunctionEdgeInferer(made.model, lambda p, t: MSE(p, t) * 2.0**-60, EDGES)
    close(faint.fit(x, y, method), made.fit(x, y, method))


STRETCHES = {
    "pooled": [slice(None)],
    "mean": [slice(0, 40), slice(40, 80)],
    "last": [slice(40, 80)],
    0: [slice(0, 40)],
}


def channel_score(a, g, **options):
    """The norms of the blocks of correlations of any two nodes."""
    return slow.channel_score(a, g, EVEN[0], EVEN[0], 4, **options)


def activity(a, groups=EVEN[0]):
    """Mean over observations of the sum of a node's channels, without their signs."""
    return np.array([abs(a.numpy()[:, np.equal(groups, n)]).sum(1).mean() for n in range(4)])


# How a score is captured, and correlated by a loop.
RECORDS = {
    "magnitude": (capture, correlation),
    "channels": (capture_channels, channel_score),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layers", [None, *STRETCHES])
@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_every_score_over_every_choice_of_layers_equals_a_loop(score, layers, backend):
    made, (x, y) = even(backend=backend), many()
    record, correlate = RECORDS[score]
    a, g = record(made.model, MSE, x, y)[:2]
    usual = {"magnitude": "pooled", "channels": "mean"}[score]
    parts = STRETCHES[usual if layers is None else layers]
    W = made.fit(x, y, score=score, layers=layers)
    close(W, np.mean([correlate(a[rows], g[rows]) for rows in parts], axis=0), 2e-6)
    np.testing.assert_array_equal(made.infer(x, y, score=score, layers=layers).W, W)


# Inputs and models


@BOTH
@pytest.mark.parametrize("rows", [None, 10, 50])
def test_further_arguments_are_drawn_along(training, rows):
    x, y = many(torch.float64)
    gain = torch.linspace(1, 2, 40)[:, None]
    options = {"estimate": rows is not None, "estimate_n_samples": rows or 1, "seed": 0}
    made, plain = (inferer(m().double().train(training)) for m in (ExtraInput, TinyGSNN))
    W = made.fit(x, y, forward_kwargs={"gain": gain, "scale": 1.0}, **options)
    close(W, plain.fit(gain * x, y, **options))


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_inference_mode_does_not_matter(backend, estimate):
    made, (x, y) = inferer(backend=backend), many()
    options = {"estimate": estimate, "estimate_iters": 2, "seed": 0}
    expected = made.fit(x, y, **options)
    with torch.inference_mode():
        np.testing.assert_array_equal(made.fit(x, y, **options), expected)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_gpu_gives_what_the_cpu_gives(backend):
    model, (x, y) = TinyGSNN(norm="batch").double().eval(), many(torch.float64)
    expected = inferer(model).fit(x, y)
    close(inferer(model.cuda(), device="cuda", backend=backend).fit(x, y), expected)


# Penalty and scale


@pytest.mark.parametrize("factor", [0.0, 0.1, 0.99])
@pytest.mark.parametrize("form", [list, torch.tensor, jnp.asarray], ids=lambda f: f.__name__)
def test_each_known_edge_penalises_its_column_and_raises_its_row(form, factor):
    edges = form(EDGES)
    for backend in BACKENDS:
        made = inferer(edges=edges, backend=backend)
        expected = slow.penalised(made.fit(*many()).astype(float), EDGES, factor)
        W = made.fit(*many(), penalty_factor=factor)
        np.testing.assert_allclose(W, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(edges), EDGES)
    for none in ([[], []], np.zeros((2, 0), int), torch.zeros(2, 0).long()):
        W = inferer(edges=none).fit(*many(), penalty_factor=factor)
        np.testing.assert_array_equal(W, inferer().fit(*many()))


@pytest.mark.parametrize("score", ["magnitude", "channels"])
@pytest.mark.parametrize(("norm", "backend"), [*zip(NORMS, BACKENDS, strict=True)])
def test_scaling_multiplies_rows_by_the_mean_activation_of_their_node(norm, backend, score):
    made, (x, y) = even(norm=norm, backend=backend), many()
    means = np.asarray(slow_capture(made.model, MSE, x, y, norm=norm)[0]).mean(0)
    expected = made.fit(x, y, score=score) * means[:, None]
    W = made.fit(x, y, score=score, scale_by_act_mean=True)
    np.testing.assert_allclose(W, expected, rtol=1e-5, atol=1e-6)
    W = made.fit(x, y, score=score, scale_by_act_mean=True, penalty_factor=0.3)
    np.testing.assert_allclose(
        W, slow.penalised(expected, made.edge_index, 0.3), rtol=1e-5, atol=1e-6
    )


# estimate


def draws_of(made, x, y, draws, rows, seed, record):
    """Observations of each draw: rows of one pass, or a pass over the rows in training mode."""
    generator = np.random.default_rng(seed)
    whole = None if made.model.training else record(made.model, MSE, x, y, seed=seed)[:2]
    for _ in range(draws):
        pick = generator.integers(0, len(x), rows)
        if made.model.training:
            own = int(generator.integers(1 << 62))
            yield record(made.model, MSE, x[pick], y[pick], seed=own)[:2]
        else:
            layers = np.arange(0, len(whole[0]), len(x))[:, None]
            yield [side[(layers + pick).ravel()] for side in whole]


@BOTH
@pytest.mark.parametrize("rows", [10, 30])
@pytest.mark.parametrize("layers", ["pooled", "mean"])
@pytest.mark.parametrize(
    ("score", "method", "ties"),
    [
        ("magnitude", "spearman", "average"),
        ("magnitude", "spearman", "ordinal"),
        ("magnitude", "pearson", "average"),
        ("channels", "spearman", "average"),
    ],
)
def test_an_estimate_is_the_mean_of_the_draws(training, rows, layers, score, method, ties):
    model = TinyGSNN(EVEN, dropout=0.5).train(training)
    made, (x, y) = inferer(model, [[0, 1], [1, 2]], ties=ties), many()
    record, correlate = RECORDS[score]
    call = {"score": score, "layers": layers, "estimate": True, "estimate_iters": 3, "seed": 7}
    parts = [slice(None)] if layers == "pooled" else [slice(0, rows), slice(rows, None)]
    options = {"method": method} | ({"ties": ties} if score == "magnitude" else {})
    for scale, factor in ((False, 0), (True, 0.2)):
        matrices = []
        for a, g in draws_of(made, x, y, 3, rows, 7, record):
            W = np.mean([correlate(a[p], g[p], **options) for p in parts], axis=0)
            means = a.numpy().mean(0) if score == "magnitude" else activity(a)
            matrices.append(W * (means[:, None] if scale else 1))
        how = {"estimate_n_samples": rows, "scale_by_act_mean": scale, "penalty_factor": factor}
        evidence = made.infer(x, y, method, **call, **how)
        # A penalty is one of the deviation too.
        for found, wanted in (
            (evidence.W, np.mean(matrices, axis=0)),
            (evidence.std, np.std(matrices, axis=0, ddof=1)),
        ):
            close(found, slow.penalised(wanted, made.edge_index, factor), 1e-5 if scale else 4e-6)
        np.testing.assert_array_equal(made.fit(x, y, method, **call, **how), evidence.W)


UNTRACKED = nn.BatchNorm1d(6, track_running_stats=False)


@pytest.mark.parametrize(
    ("model", "mode", "once"),
    [
        (TinyGSNN(norm="batch").eval(), None, True),
        (TinyGSNN().train(), None, False),
        (with_norm(nn.Dropout().train()), None, False),
        (with_norm(UNTRACKED.eval()), None, False),
        (PlainList().eval(), None, False),
        (TinyGSNN(norm="batch", dropout=0.5).train(), "eval", True),
        (with_norm(UNTRACKED), "eval", False),
    ],
    ids=["evaluation", "training", "one trains", "untracked", "hidden", "mode eval", "both"],
)
@pytest.mark.parametrize("rows", [10, 50])
def test_the_model_runs_once_unless_rows_depend_on_each_other(model, mode, once, rows):
    passes = []
    hook = model.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    options = {"estimate": True, "estimate_iters": 3, "estimate_n_samples": rows, "mode": mode}
    inferer(model).fit(*many(), **options)
    hook.remove()
    assert passes == ([40] if once else [rows] * 3)


@BOTH
def test_draws_follow_their_seed_and_move_no_generator(training):
    made, (x, y) = inferer(TinyGSNN(dropout=0.5).train(training)), many()
    options = {"estimate": True, "estimate_iters": 2, "estimate_n_samples": 20}
    before = global_state()
    first, again, other = (made.fit(x, y, seed=seed, **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, first)
    assert np.abs(other - first).max() > 1e-3
    assert np.abs(made.fit(x, y, **options) - made.fit(x, y, **options)).max() > 1e-3
    np.testing.assert_array_equal(made.fit(x, y), made.fit(x, y))
    assert global_state() == before


@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_the_standard_error_does_not_follow_the_size_of_a_draw(score):
    made, (x, y) = even(), many()
    options = {"score": score, "estimate": True, "estimate_iters": 200, "seed": 0}
    small, large = (
        made.infer(x, y, estimate_n_samples=rows, **options).standard_error for rows in (40, 640)
    )
    # 200 draws know a deviation to 5%; of few samples, W is not quite linear in their counts.
    close(np.median(small / large), 1, 0.15)


# What must not happen


@pytest.mark.parametrize("name", MODELS)
def test_the_model_and_the_global_generators_do_not_move(name):
    model = lived_in(MODELS[name]().train())
    x, y = data_for(model)
    with assert_unchanged(model):
        inferer(model).fit(x, y, estimate=True, estimate_iters=2, estimate_n_samples=20)


@BOTH
@pytest.mark.parametrize("verbose", [False, True])
def test_an_interrupt_during_estimate_leaves_no_trace(training, verbose):
    calls = []

    def crit(prediction, target):
        calls.append(len(target))
        if len(calls) == (2 if training else 1):
            raise KeyboardInterrupt
        return MSE(prediction, target)

    model = lived_in(TinyGSNN(dropout=0.5).train(training))
    with assert_unchanged(model), pytest.raises(KeyboardInterrupt):
        FunctionEdgeInferer(model, crit, EDGES).fit(*many(), estimate=True, verbose=verbose)


@pytest.mark.parametrize(
    ("verbose", "estimate", "speaks"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
def test_progress_is_shown_on_stderr_with_verbose(verbose, estimate, speaks, capfd):
    inferer().fit(*many(), estimate=estimate, verbose=verbose)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert ("resampled batches" in printed.err) == bool(printed.err) == speaks


# Warnings


def warned(made, x, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.fit(x, y, **options)
    assert {(w.category, w.filename) for w in caught} <= {(UserWarning, __file__)}
    return [str(w.message) for w in caught]


def test_few_samples_and_modes_are_warned_of():
    assert "at least 10 samples, better some hundred; got 9:" in warned(inferer(), *data(9))[0]
    assert warned(inferer(), *data(10)) == []
    [text] = warned(inferer(TinyGSNN(dropout=0.5)), *many(), estimate=True)
    assert "ResBlocks.0.dropout" in text


class Cut(nn.Module):
    """Nodes 0 and up have a constant activation, or no gradient."""

    def __init__(self, constant, cut):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.first.weight.data[:constant] = 0
        self.cut = cut

    def forward(self, x):
        return self.second(self.first(x))[:, self.cut :]


@pytest.mark.parametrize(
    ("constant", "cut", "phrase"),
    [
        (4, 0, "zero everywhere: the activations of all 4"),
        (3, 0, "3 of 4 nodes have constant activations"),
        (0, 3, "3 of 4 nodes have constant gradients"),
        (2, 2, None),
    ],
)
def test_constant_nodes_are_warned_of(constant, cut, phrase):
    x = data(40)[0]
    made = inferer(Cut(constant, cut), [[0], [1]], blocks=["first", "second"], groups=range(4))
    texts = warned(made, x, x[:, cut:] + 1)
    assert len(texts) == (phrase is not None)
    assert all(phrase in text for text in texts)


# Wrong calls


def never(prediction, target):
    raise AssertionError("a pass was made")


NAN = float("nan")
# What is wrong before a pass: id -> (arguments of the constructor, of fit, error, phrase).
WRONG_FIT = {
    "source of no node": (
        {"edges": [[6], [0]]}, {}, ValueError, r"edge_index must hold sources in 0 .. 5.*got 6",
    ),
    "penalty NaN": ({}, {"penalty_factor": NAN}, ValueError, r"must lie in \[0, 1\).*nan"),
    "estimate_n_samples 0": (
        {}, {"estimate": True, "estimate_n_samples": 0}, ValueError, "n_samples must be at least 1",
    ),
    "scale": ({}, {"scale_by_act_mean": "no"}, TypeError, "scale_by_act_mean must be True or"),
    "channels differ": ({}, {"score": "auto"}, ValueError, "same channels of the same nodes"),
    "no component": (
        {}, {"score": "channels", "n_components": 0}, ValueError, "n_components must be at least 1",
    ),
    "untrained -1": (
        {}, {"untrained": -1, "score": "magnitude"}, ValueError, "untrained must be at least 0",
    ),
    "untrained estimate": (
        {"model": TinyGSNN(EVEN), "edges": [[0], [1]]}, {"untrained": 2, "estimate": True},
        ValueError, "must be 0 with estimate=True",
    ),
    "fresh alone": (
        {"model": TinyGSNN(EVEN), "edges": [[0], [1]]}, {"untrained": 0, "fresh": TinyGSNN},
        ValueError, "fresh must come with untrained=1",
    ),
    "another fresh": (
        {"model": TinyGSNN(EVEN), "edges": [[0], [1]]}, {"untrained": 1, "fresh": TinyGSNN},
        ValueError, "fresh must make a model with the parameters of the trained one",
    ),
    "no module": (
        {"model": TinyGSNN(EVEN), "edges": [[0], [1]]}, {"untrained": 1, "fresh": dict},
        ValueError, "it gave a dict that has others",
    ),
    **{
        f"2 samples, {options}": (
            {"model": TinyGSNN(EVEN).eval(), "edges": [[0], [1]]},
            {**dict(zip("xy", data(2), strict=True)), **options},
            ValueError, "rows. of x must be at least 3; got 2: any two columns",
        )
        for options in ({"layers": "mean"}, {"layers": 0}, {"score": "channels"}, {"score": "auto"})
    },
}  # fmt: skip
# What is wrong in a pass or after it.
WRONG_LATER = {
    "penalty overflows": (
        {"edges": np.zeros((2, 500), int)}, {"penalty_factor": 0.9},
        ValueError, "penalty_factor=0.9 is too large for a node with 500 known edges",
    ),
    "one observation": (
        {"model": TinyGSNN([[0, 1], [0, 1]]), "edges": [[0], [1]]},
        dict(zip("xy", data(1), strict=True)), ValueError, "at least 2 observations",
    ),
    "float64 on JAX": (
        {"model": TinyGSNN().double(), "backend": "jax"}, {}, ValueError, "set jax_enable_x64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*WRONG_FIT, *WRONG_LATER])
def test_a_wrong_call_is_refused_and_leaves_the_model_alone(name):
    how, call, error, phrase = (WRONG_FIT | WRONG_LATER)[name]
    made = inferer(**how)
    made.crit = never if name in WRONG_FIT else MSE
    call = {**dict(zip("xy", many(), strict=True)), **call}
    with assert_unchanged(made.model), pytest.raises(error, match=phrase):
        made.infer(**call) if "untrained" in call else made.fit(**call)


# infer


def test_evidence_says_how_it_was_made():
    made, (x, y) = even(norm="l2", node_names=list("abcd")), many()
    loader = DataLoader(TensorDataset(x, y), batch_size=16)
    evidence = made.infer(loader, None, "pearson", score="magnitude", penalty_factor=0.1, seed=3)
    close(evidence.W, made.fit(x, y, "pearson", 0.1, seed=3), 2e-6)
    assert evidence.counts == {"samples": 40, "layers": 3, "observations": 80}
    assert (evidence.method, evidence.node_names) == ("pearson", list("abcd"))
    assert evidence.settings == {
        "use_prenorm": True, "norm": "l2", "agg": "sum", "backend": "torch", "ties": "average",
        "precision": "float32", "score": "magnitude", "layers": "pooled", "n_components": None,
        "penalty_factor": 0.1, "scale_by_act_mean": False, "estimate": False, "estimate_iters": 1,
        "estimate_n_samples": 2500, "batch_size": None, "seed": 3, "loss_reduction": None,
        "mode": None, "masks": 0, "measured": None, "untrained": 0,
    }  # fmt: skip
    np.testing.assert_array_equal(evidence.known_edges, [[0, 1], [1, 2]])
    assert evidence.std is None


ADJUSTED = {
    "penalty_factor": 0.1, "scale_by_act_mean": True, "estimate": True, "estimate_iters": 3,
    "estimate_n_samples": 30, "seed": 5,
}  # fmt: skip
CIRCLE = np.stack([np.arange(12), (np.arange(12) + 1) % 12])


def wide(edges=CIRCLE, training=False, **options):
    """Twelve nodes of two channels, and known edges of as many sources."""
    groups = [np.arange(12).repeat(2).tolist()] * 3
    return inferer(TinyGSNN(groups).train(training), edges, **options)


def ranked_first(W):
    """For each source the other node that scores highest."""
    return np.stack([np.arange(len(W)), np.where(np.eye(len(W)), -np.inf, W).argmax(axis=1)])


@BOTH
@pytest.mark.parametrize("score", ["magnitude", "channels"])
@pytest.mark.parametrize(
    ("backend", "norm", "agg"),
    [("torch", "none", "sum"), ("jax", "l2", "mean"), ("torch", "l1", "max")],
)
def test_auto_is_the_score_that_finds_the_known_edges(score, training, backend, norm, agg):
    how, (x, y) = {"training": training, "backend": backend, "norm": norm, "agg": agg}, many()
    options = ADJUSTED | {"estimate": training}
    plain = {name: value for name, value in options.items() if name != "penalty_factor"}
    both = {name: wide(**how).fit(x, y, score=name, **plain) for name in ("magnitude", "channels")}
    made = wide(ranked_first(both[score]), **how)
    auto, alone = (made.infer(x, y, score=name, **options) for name in ("auto", score))
    np.testing.assert_allclose(auto.W, alone.W, rtol=1e-5, atol=4e-6)
    np.testing.assert_array_equal(made.fit(x, y, score="auto", **options), auto.W)
    if training:
        np.testing.assert_allclose(auto.std, alone.std, rtol=1e-4, atol=4e-6)
    expected = compare_scores(both["magnitude"], both["channels"], made.edge_index).as_json()
    found = auto.settings["choice"]
    np.testing.assert_allclose(
        *([d[k] for k in ("magnitude", "channels", "chance")] for d in (found, expected)), rtol=1e-6
    )
    assert {**auto.settings, "choice": None} == {**alone.settings, "choice": None}
    assert auto.settings["score"] == score
    # Untrained models join whichever it is.
    if not training:
        how = {"untrained": 1, "scale_by_act_mean": True}
        joined = [made.infer(x, y, score=name, **how).W for name in ("auto", score)]
        np.testing.assert_allclose(*joined, rtol=1e-5, atol=4e-6)


def test_few_known_edges_leave_the_channel_score():
    made, (x, y) = even(), many()
    assert set(made.infer(x, y).settings["choice"].values()) == {None}
    reduced = made.fit(x, y, score="channels", n_components=1)
    np.testing.assert_array_equal(made.fit(x, y, score="auto", n_components=1), reduced)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("on_host", [True, False])
def test_untrained_models_weigh_as_much_as_the_trained_one(on_host, backend):
    made, (x, y) = wide(backend=backend), many()
    options = {"score": "channels", "layers": "last", "penalty_factor": 0.1}
    with assert_unchanged(made.model):
        evidence = made.infer(x, y, untrained=3, on_host=on_host, **options)
    before = untrained_scores(made, x, y, seeds=3, **options)
    own = made.fit(x, y, **options)
    expected = np.where(np.eye(12), own, (own + np.mean(before, axis=0)) / 2)
    np.testing.assert_allclose(np.asarray(evidence.W), expected, rtol=1e-5, atol=1e-6)
    assert evidence.settings["untrained"] == 3


# The choice between two matrices

COUNT = 14
RING = np.stack([np.arange(COUNT), (np.arange(COUNT) + 1) % COUNT])
TWICE = np.concatenate([RING, [np.arange(COUNT), (np.arange(COUNT) + 5) % COUNT]], axis=1)


def scores(hits, seed=0, below=False):
    """Noise, with so many known edges above all others, or with all the rest below."""
    noise = np.random.default_rng(seed).random((COUNT, COUNT))
    noise[*TWICE[:, :hits]] += 1
    if below:
        noise[*TWICE[:, hits:]] -= 1
    return noise


def robust_error(differences, sources):
    """Standard error of a mean, source by source."""
    mean = differences.mean()
    sums = [(differences[sources == source] - mean).sum() for source in np.unique(sources)]
    units = len(sums)
    return np.sqrt(units / (units - 1) * np.square(sums).sum()) / len(differences)


@pytest.mark.parametrize("edges", [RING, TWICE], ids=["one a source", "two a source"])
def test_means_errors_and_the_rule_are_those_of_a_loop(edges):
    # A self-edge is no candidate: below all.
    hide = np.where(np.eye(COUNT, dtype=bool), -np.inf, 0)
    rivals = [COUNT - np.count_nonzero(edges[0] == source) for source in edges[0]]
    expected = np.mean([np.mean(1 / np.arange(1, count + 1)) for count in rivals])
    z_scores = {True: [], False: []}
    for hits, seed in np.ndindex(8, 6):
        magnitude, channels = scores(hits, seed), scores(1 + seed % 2 * 8, seed + 9)
        result = compare_scores(magnitude, channels, edges)
        first, second = (reciprocal_ranks(W + hide, edges, edges) for W in (magnitude, channels))
        # Chance is the same for all edges here, so that only the ranks vary.
        z_score = (first.mean() - expected) / robust_error(first, edges[0])
        values = [result.magnitude, result.channels, result.chance, result.z_score]
        np.testing.assert_allclose(values, [first.mean(), second.mean(), expected, z_score])
        better = first.mean() > second.mean()
        assert result.score == ("magnitude" if better and z_score > 2 else "channels")
        z_scores[bool(better)].append(z_score)
    assert any(1 < z < 2 for z in z_scores[True])
    assert any(2 < z < 3 for z in z_scores[True])
    assert any(z > 2 for z in z_scores[False])


def test_it_is_not_enough_to_be_better_than_a_score_below_chance():
    result = compare_scores(scores(0), scores(0, seed=1, below=True), TWICE)
    assert result.channels < min(result.chance, result.magnitude)
    assert result.score == "channels"


def test_self_edges_repeats_and_their_order_do_not_count():
    matrices = scores(9), scores(2, seed=1)
    edges = np.concatenate([TWICE[:, ::-1], TWICE[:, :5], [[3, 4], [3, 4]]], axis=1)
    assert compare_scores(*matrices, edges) == compare_scores(*matrices, TWICE)


@pytest.mark.parametrize("sources", [0, 1, 9, 10])
def test_few_known_edges_choose_nothing(sources):
    result = compare_scores(scores(28), scores(0, seed=1), RING[:, :sources])
    assert result.score == ("magnitude" if sources == 10 else "channels")
    if sources < 10:
        assert json.loads(json.dumps(result.as_json())) == dict.fromkeys(vars(result))


@pytest.mark.parametrize("sign", [1, -1])
def test_ranks_that_are_all_the_same_are_certain(sign):
    matrix = np.zeros((COUNT, COUNT))
    matrix[*TWICE] = sign
    assert sign * compare_scores(matrix, matrix, TWICE).z_score > 1e6
