"""The evidence of a network equals what loops over its layers, samples and channels give."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from gsnn_edges import (
    EdgeEvidence,
    FunctionEdgeInferer,
    capture,
    capture_channels,
    capture_to_store,
    open_store,
)

from . import slow
from .networks import ALIKE, EDGES, NODES, RAGGED, Network, TakesTwo, data

CRIT = nn.MSELoss()
BACKENDS = ["torch", "jax", "numpy"]
ACCURACY = 4e-6  # law 3, for columns that may have few distinct values
PAIRS = 2
# JAX has no float64 unless that is switched on.
SINGLE = Network(dtype=torch.float32)


def magnitude(x, y, layers="pooled", **options):
    """The magnitude score by loops."""
    a, g = slow.observations(Network(dtype=x.dtype), CRIT, x, y, **options)
    return slow.layered(slow.correlation, a, g, PAIRS, layers)


def channels(x, y, layers="mean", n_components=None):
    """The channel score by loops."""

    def score(a, g):
        return slow.channel_score(a, g, ALIKE[0], ALIKE[0], NODES, n_components)

    a, g = slow.observations(Network(ALIKE, dtype=x.dtype), CRIT, x, y, channels=True)
    return slow.layered(score, a, g, PAIRS, layers)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", ["auto", "device"])
def test_magnitude_score(backend, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    x, y = data(dtype=torch.float32)
    found = FunctionEdgeInferer(SINGLE, CRIT, EDGES, backend=backend).fit(x, y)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    assert_allclose(found, magnitude(x, y), rtol=0, atol=ACCURACY)
    assert_array_equal(found[2], 0)
    assert_array_equal(found[:, 2], 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_channel_score(backend):
    x, y = data(dtype=torch.float32)
    model = Network(ALIKE, dtype=torch.float32)
    found = FunctionEdgeInferer(model, CRIT, EDGES, backend=backend).fit(x, y, score="channels")
    assert_allclose(found, channels(x, y), rtol=0, atol=4 * ACCURACY)


@pytest.mark.parametrize("norm", ["l1", "l2", "none"])
@pytest.mark.parametrize("agg", ["sum", "mean", "max"])
@pytest.mark.parametrize("use_prenorm", [True, False])
def test_channels_become_nodes(norm, agg, use_prenorm):
    x, y = data()
    how = {"use_prenorm": use_prenorm, "norm": norm, "agg": agg}
    found = FunctionEdgeInferer(Network(), CRIT, EDGES, backend="numpy", **how).fit(x, y)
    assert_allclose(found, magnitude(x, y, **how), rtol=0, atol=ACCURACY)
    a, g = capture(Network(), CRIT, x, y, **how)
    for mine, other in zip((a, g), slow.observations(Network(), CRIT, x, y, **how), strict=True):
        assert_allclose(mine.numpy(), other, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("layers", ["pooled", "mean", "last", 0])
def test_layer_pairs(layers):
    x, y = data()
    found = FunctionEdgeInferer(Network(), CRIT, EDGES).fit(x, y, layers=layers)
    assert_allclose(found, magnitude(x, y, layers), rtol=0, atol=ACCURACY)
    found = FunctionEdgeInferer(Network(ALIKE), CRIT, EDGES).fit(
        x, y, score="channels", layers=layers, n_components=1
    )
    assert_allclose(found, channels(x, y, layers, 1), rtol=0, atol=4 * ACCURACY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_penalty_scale_and_method(backend):
    x, y = data(dtype=torch.float32)
    a, g = slow.observations(SINGLE, CRIT, x, y)
    inferer = FunctionEdgeInferer(SINGLE, CRIT, EDGES, backend=backend)
    found = inferer.fit(x, y, "pearson", 0.3, True)
    expected = slow.correlation(a, g, "pearson") * a.mean(axis=0)[:, None]
    assert_allclose(found, slow.penalised(expected, EDGES, 0.3), rtol=1e-5, atol=ACCURACY)
    ordinal = FunctionEdgeInferer(
        SINGLE, CRIT, EDGES, backend="numpy", ties="ordinal", precision="float64"
    )
    found = ordinal.fit(x, y)
    assert found.dtype == np.float64
    assert_allclose(found, slow.correlation(a, g, ties="ordinal"), rtol=0, atol=1e-9)


def test_batches_loaders_and_row_chunks_change_nothing():
    x, y = data()
    inferer = FunctionEdgeInferer(Network(), CRIT, EDGES)
    expected = inferer.fit(x, y)
    pairs = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=9)
    for found in (
        inferer.fit(x, y, batch_size=7),
        inferer.fit(x, y, row_chunk=1),
        inferer.fit(pairs),
        inferer.fit(x.numpy(), y.numpy()),
        inferer.fit(x.tolist(), y.tolist()),
    ):
        assert_allclose(found, expected, rtol=0, atol=ACCURACY)
    summed = FunctionEdgeInferer(Network(), nn.MSELoss(reduction="sum"), EDGES)
    assert_allclose(summed.fit(x, y, batch_size=7), expected, rtol=0, atol=ACCURACY)


def test_inputs_of_several_parts_and_any_network():
    x, y = data()
    expected = FunctionEdgeInferer(Network(), CRIT, EDGES).fit(x, y)
    parts = FunctionEdgeInferer(TakesTwo(), CRIT, EDGES)
    for given in ((x[:, :1], x[:, 1:]), {"right": x[:, 1:], "left": x[:, :1]}):
        assert_allclose(parts.fit(given, y), expected, rtol=0, atol=ACCURACY)
    network = Network()
    lines = FunctionEdgeInferer(
        network,
        CRIT,
        EDGES,
        blocks=["ResBlocks.0.lin_in", network.ResBlocks[1].lin_in, "ResBlocks.2.lin_in"],
        groups=RAGGED,
    )
    assert_allclose(lines.fit(x, y), expected, rtol=0, atol=ACCURACY)


def test_resampled_batches():
    x, y = data(rows=60)
    inferer = FunctionEdgeInferer(Network(), CRIT, EDGES)
    resampled = {"estimate": True, "estimate_iters": 6, "estimate_n_samples": 60, "seed": 3}
    found = inferer.infer(x, y, score="magnitude", **resampled)
    assert_array_equal(found.W, inferer.fit(x, y, **resampled))
    assert not np.array_equal(found.W, inferer.fit(x, y, **resampled | {"seed": 4}))
    # Correlations of 120 observations spread by about 0.1, their mean of six by less.
    assert abs(found.W - inferer.fit(x, y)).max() < 0.4
    assert 0 < np.median(found.std[found.std > 0]) < 0.2
    assert_allclose(found.standard_error, found.std, rtol=1e-6)
    few = inferer.infer(x, y, score="magnitude", **resampled | {"estimate_n_samples": 15})
    assert_allclose(few.standard_error, few.std / 2, rtol=1e-6)


@pytest.mark.parametrize("raises", [False, True])
def test_the_model_comes_back_as_it_was(raises):
    model = Network(dropout=0.5, batch_norm=True).train()
    model.ResBlocks[1].norm.eval()
    model.decode.weight.requires_grad_(False)
    x, y = data()
    nn.MSELoss()(model(x), y).backward()
    model.ResBlocks[0]._last_activation = "kept"
    before, gradients = copy.deepcopy(model.state_dict()), [p.grad for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    state, calls = torch.get_rng_state(), []

    def crit(output, target):
        calls.append(1)
        if raises:
            raise RuntimeError("no luck")
        return CRIT(output, target)

    inferer = FunctionEdgeInferer(model, crit, EDGES)
    if raises:
        with pytest.raises(RuntimeError, match="no luck"):
            inferer.fit(x, y, mode="eval")
    else:
        assert inferer.fit(x, y, mode="eval").shape == (NODES, NODES)
    assert calls
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    for mine, other in zip(gradients, [p.grad for p in model.parameters()], strict=True):
        assert mine is other
    assert [module.training for module in model.modules()] == modes
    assert not model.decode.weight.requires_grad
    assert torch.equal(torch.get_rng_state(), state)
    assert model.ResBlocks[0]._last_activation == "kept"
    assert not any(block._store_activations for block in model.ResBlocks)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_mode_that_draws_is_warned_of_and_repeatable():
    x, y = data()
    inferer = FunctionEdgeInferer(Network(dropout=0.5).train(), CRIT, EDGES)
    with pytest.warns(UserWarning, match="eval"):
        found = inferer.fit(x, y, seed=1)
    with pytest.warns(UserWarning, match="eval"):
        assert_array_equal(inferer.fit(x, y, seed=1), found)
    assert_allclose(inferer.fit(x, y, mode="eval"), magnitude(x, y), rtol=0, atol=ACCURACY)


def test_infer_gives_names_counts_and_settings():
    x, y = data()
    names = [f"node {k}" for k in range(NODES)]
    inferer = FunctionEdgeInferer(Network(ALIKE), CRIT, EDGES, node_names=names)
    found = inferer.infer(x, y, score="channels")
    assert isinstance(found, EdgeEvidence)
    assert_allclose(found.W, channels(x, y), rtol=0, atol=4 * ACCURACY)
    assert found.node_names == names
    assert found.counts == {"samples": 40, "layers": 3, "observations": 80}
    assert_array_equal(found.known_edges, EDGES)
    assert (found.settings["score"], found.settings["layers"]) == ("channels", "mean")
    # Of so few known edges nothing follows, and channels are the better score on most graphs.
    chosen = inferer.infer(x, y)
    assert chosen.settings["score"] == "channels"
    assert_array_equal(chosen.W, found.W)


@pytest.mark.parametrize("backend", BACKENDS)
def test_evidence_may_stay_where_it_was_made(backend):
    x, y = data(dtype=torch.float32)
    inferer = FunctionEdgeInferer(SINGLE, CRIT, EDGES, backend=backend)
    found = inferer.infer(x, y, score="magnitude", on_host=False)
    assert type(found.W).__module__.startswith(backend)
    assert_allclose(np.asarray(found.W), magnitude(x, y), rtol=0, atol=ACCURACY)
    assert found.evaluate([[0], [3]], n_resamples=None).mrr > 0


def test_known_edges_choose_the_score():
    x, y = data(rows=200)
    groups = [[k for k in range(12) for _ in range(2)]] * 3
    model = Network(groups, seed=2)
    by_score = {
        score: FunctionEdgeInferer(model, CRIT, [[], []]).fit(x, y, score=score)
        for score in ("magnitude", "channels")
    }
    for score, other in (("magnitude", "channels"), ("channels", "magnitude")):
        better = by_score[score].argsort().argsort() - by_score[other].argsort().argsort()
        np.fill_diagonal(better, -99)
        known = [np.arange(12), better.argmax(axis=1)]
        found = FunctionEdgeInferer(model, CRIT, known).infer(x, y)
        choice = found.settings["choice"]
        for name, W in by_score.items():
            W = W - 1e9 * np.eye(12, dtype=np.float32)
            counts = [
                (above, level, others - 1)  # a node itself is no candidate
                for above, level, others in slow.rivals(W, known, known)
            ]
            expected = slow.metrics(counts, [])
            assert choice[name] == pytest.approx(expected["mrr"], rel=1e-12)
        assert choice["chance"] == pytest.approx(expected["expected_mrr"], rel=1e-12)
        wanted = (
            "magnitude"
            if choice["magnitude"] > choice["channels"] and choice["z_score"] > 2
            else "channels"
        )
        assert found.settings["score"] == wanted == score
        assert_array_equal(found.W, by_score[wanted])


def test_untrained_networks_join_the_channel_score():
    from gsnn_edges.demo import GSNN, tutorial

    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3).eval()
    trained = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(1.5).add_(0.1)
    x, y = problem.x_test[:60], problem.y_test[:60]
    both = [
        FunctionEdgeInferer(network, CRIT, problem.known_edges).fit(x, y, score="channels")
        for network in (trained, model)
    ]
    found = FunctionEdgeInferer(trained, CRIT, problem.known_edges).infer(
        x, y, score="channels", untrained=1
    )
    assert found.node_names == problem.node_names_dict["function"]
    wanted = np.where(np.eye(50), both[0], np.mean(both, axis=0))
    assert_allclose(found.W, wanted, rtol=0, atol=4 * ACCURACY)


def test_captures_are_the_same_in_memory_and_on_disk(tmp_path):
    x, y = data()
    a, g = capture(Network(), CRIT, x, y, batch_size=8)
    how = {"batch_size": 8, "edge_index": EDGES, "node_names": list("abcdef")}
    store = capture_to_store(tmp_path / "nodes.zarr", Network(), CRIT, x, y, **how)
    assert_array_equal(store.read("a"), a.numpy())
    assert_array_equal(
        store.read("g", columns=(1, 3), samples=(5, 20), pairs=(1, 2)), g[45:60, 1:3]
    )
    assert (store.pairs, store.samples, store.columns, store.nodes) == (2, 40, 6, 6)
    assert store.node_names == tuple("abcdef")
    assert_array_equal(store.edge_index, EDGES)
    seen = capture_channels(Network(ALIKE), CRIT, x, y, batch_size=8)
    for mine, other in zip(
        seen[:2], slow.observations(Network(ALIKE), CRIT, x, y, channels=True), strict=True
    ):
        assert_allclose(mine.numpy(), other, rtol=1e-12, atol=1e-15)
    assert (seen.samples, seen.pairs, seen.nodes.tolist()) == (40, 2, ALIKE[0])
    capture_to_store(
        tmp_path / "channels.zarr", Network(ALIKE), CRIT, x, y, score="channels", batch_size=8
    )
    store = open_store(tmp_path / "channels.zarr")
    assert_array_equal(store.read("g"), seen.g.numpy())
    assert (store.score, store.column_nodes.tolist()) == ("channels", ALIKE[0])
