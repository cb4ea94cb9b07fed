"""Baselines that take a network: its activations, and new weights in a copy of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gsnn_models import TinyGSNN, data
from model_state import assert_unchanged
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from torch import nn

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
from gsnn_edges.baselines.networks import activation_correlation, untrained_scores
from gsnn_edges.demo import GSNN, tutorial

CRIT = nn.MSELoss()
EDGES = [[0, 1], [1, 3]]


def test_activations_correlate_as_scipy_says(library):
    a = np.random.default_rng(0).standard_normal((30, 6)).round(1).astype(np.float32)
    a[:, 4] = 0.5
    slow = np.abs(spearmanr(np.delete(a, 4, axis=1)).statistic)
    slow = np.insert(np.insert(slow, 4, 0.0, axis=0), 4, 0.0, axis=1)
    np.fill_diagonal(slow, np.nan)
    found = activation_correlation(library.array(a))
    assert found.dtype == np.float64
    assert_allclose(found, slow, atol=4e-6)


def test_model_with_a_reset_of_its_own_is_what_it_was_untrained():
    problem = tutorial(seed=0)
    graph = problem.edge_index_dict, problem.node_names_dict
    x, y = problem.x_test[:50], problem.y_test[:50]
    trained = GSNN(*graph, layers=3, norm="batch", seed=7).eval()
    with torch.no_grad():
        for name, tensor in trained.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor += 0.3
    inferer = FunctionEdgeInferer(trained, CRIT, problem.known_edges, use_prenorm=False)
    with assert_unchanged(trained):
        found = untrained_scores(inferer, x, y, seeds=2, score="magnitude", method="pearson")
    for seed, matrix in enumerate(found):
        fresh = GSNN(*graph, layers=3, norm="batch", seed=seed).eval()
        wanted = FunctionEdgeInferer(fresh, CRIT, problem.known_edges, use_prenorm=False)
        assert_allclose(matrix, wanted.fit(x, y, method="pearson"), atol=1e-5)
    assert inferer.model is trained


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_modules_are_reset_with_torch_seeded(norm):
    x, y = data(20)
    model = TinyGSNN(norm=norm, seed=3).eval()
    inferer = FunctionEdgeInferer(model, CRIT, EDGES)
    with assert_unchanged(model):
        found = untrained_scores(inferer, x, y, seeds=2, score="magnitude")
    for seed, matrix in enumerate(found):
        fresh = TinyGSNN(norm=norm).eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in fresh.modules():
                if isinstance(module, nn.Linear | nn.BatchNorm1d):
                    module.reset_parameters()
        assert_array_equal(matrix, FunctionEdgeInferer(fresh, CRIT, EDGES).fit(x, y))


def test_reset_of_the_caller_is_used():
    x, y = data(20)
    inferer = FunctionEdgeInferer(TinyGSNN(seed=3).eval(), CRIT, EDGES)

    def reset(model, seed):
        model.load_state_dict(TinyGSNN(seed=seed + 10).state_dict())

    found = untrained_scores(inferer, x, y, seeds=2, score="magnitude", reset=reset)
    for seed, matrix in enumerate(found):
        fresh = FunctionEdgeInferer(TinyGSNN(seed=seed + 10).eval(), CRIT, EDGES)
        assert_array_equal(matrix, fresh.fit(x, y))


@pytest.mark.gpu
def test_weights_on_a_gpu_follow_the_seed():
    x, y = (tensor.cuda() for tensor in data(20))
    inferer = FunctionEdgeInferer(TinyGSNN(seed=3).cuda().eval(), CRIT, EDGES, device="cuda")
    state = torch.cuda.get_rng_state()
    options = {"seeds": 1, "score": "magnitude"}
    first, second = (untrained_scores(inferer, x, y, **options)[0] for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(torch.cuda.get_rng_state(), state)


@pytest.mark.parametrize("score", ["auto", "channels", "magnitude"])
def test_like_replays_the_settings_of_the_evidence(score):
    problem = tutorial(seed=0)
    x, y = problem.x_test[:40], problem.y_test[:40]
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, layers=3, seed=7).eval()
    inferer = FunctionEdgeInferer(model, CRIT, problem.known_edges, norm="l2")
    options = {"method": "pearson", "layers": "last", "penalty_factor": 0.2}
    evidence = inferer.infer(x, y, score=score, **options)
    chosen = evidence.settings["score"]
    found = untrained_scores(inferer, x, y, like=evidence, seeds=2)
    wanted = untrained_scores(inferer, x, y, seeds=2, score=chosen, **options)
    assert_array_equal(found, wanted)
    # What is given beside it counts more.
    found = untrained_scores(inferer, x, y, like=evidence, seeds=1, layers=0)
    wanted = untrained_scores(inferer, x, y, seeds=1, score=chosen, **options | {"layers": 0})
    assert_array_equal(found, wanted)


EVIDENCE = EdgeEvidence(np.eye(5))
SCORED = {"score": "magnitude"}


class Bare(nn.Module):
    """A module whose weight nothing draws anew."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def forward(self, state):
        return state * self.weight


def with_bare_module():
    model = TinyGSNN().eval()
    model.ResBlocks[1].dropout = Bare()
    return FunctionEdgeInferer(model, CRIT, EDGES)


@pytest.mark.parametrize(
    ("inferer", "options", "error", "message"),
    [
        (with_bare_module, SCORED, ValueError, r"ResBlocks\.1\.dropout has none: give reset="),
        (with_bare_module, {}, ValueError, "like or score must be given: like=evidence"),
        (with_bare_module, {"like": EVIDENCE.W}, TypeError, "like must be the EdgeEvidence"),
        (with_bare_module, {"like": EVIDENCE}, ValueError, "got evidence without a score"),
        (
            with_bare_module,
            {"like": replace(EVIDENCE, settings={"score": "channels", "norm": "l2"})},
            ValueError,
            "like must be evidence of this inferer; got norm='l2', and the inferer has 'l1'",
        ),
        (with_bare_module, {"reset": 3}, TypeError, "reset must be a callable"),
        (with_bare_module, {"seeds": 0}, ValueError, "seeds must be at least 1"),
        (TinyGSNN, {}, TypeError, "inferer must be a FunctionEdgeInferer; got TinyGSNN"),
    ],
)
def test_what_would_stay_trained_is_refused(inferer, options, error, message):
    with pytest.raises(error, match=message):
        untrained_scores(inferer(), *data(10), **options)
