"""Baselines as networkx, SciPy and scikit-learn give them pair by pair; new weights in a copy."""

import warnings
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from gsnn_models import KNOWN, NAMES, ORIGINALS, PlainList, TinyGSNN, blocks_of, data
from model_state import assert_unchanged
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from torch import nn

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
from gsnn_edges.baselines import graph as structure
from gsnn_edges.baselines import measured as by_values
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.baselines.networks import activation_correlation, untrained_twins
from gsnn_edges.demo import GSNN, tutorial

NODES = 12


def edges(seed=0, count=40):
    """Draw edges with duplicates, self-edges and edges in both directions."""
    drawn = np.random.default_rng(seed).integers(0, NODES - 2, (2, count))
    return np.concatenate([drawn, drawn[:, :3], drawn[::-1, :3], [[1], [1]]], axis=1)


def directed(known):
    graph = nx.DiGraph([(s, t) for s, t in known.T.tolist() if s != t])
    graph.add_nodes_from(range(NODES))
    return graph


def off_diagonal(score_of):
    """Score all pairs of different nodes by a slow function."""
    pairs = np.full((NODES, NODES), np.nan)
    for i in range(NODES):
        for j in range(NODES):
            if i != j:
                pairs[i, j] = score_of(i, j)
    return pairs


@pytest.mark.parametrize("seed", range(3))
def test_degrees_are_those_of_networkx(seed):
    known = edges(seed)
    graph = directed(known)
    into = np.array([graph.in_degree(node) for node in range(NODES)], float)
    out = np.array([graph.out_degree(node) for node in range(NODES)], float)
    assert_array_equal(structure.in_degree(known, NODES), np.tile(into, (NODES, 1)))
    assert_array_equal(structure.out_degree(known, NODES), np.tile(out, (NODES, 1)).T)
    assert_array_equal(structure.preferential_attachment(known, NODES), np.outer(out, into))


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_networkx(seed):
    known = edges(seed)
    graph = directed(known).to_undirected()
    counted = off_diagonal(lambda i, j: len(list(nx.common_neighbors(graph, i, j))))
    assert_array_equal(structure.common_neighbours(known, NODES), counted)
    weighed = off_diagonal(lambda i, j: next(nx.adamic_adar_index(graph, [(i, j)]))[2])
    assert_allclose(structure.adamic_adar(known, NODES), weighed, rtol=1e-12, atol=1e-15)


def test_two_step_paths_are_those_of_networkx():
    known = edges()
    graph = directed(known)
    counted = off_diagonal(
        lambda i, j: sum(len(p) == 3 for p in nx.all_simple_paths(graph, i, j, cutoff=2))
    )
    assert_array_equal(structure.two_step_paths(known, NODES), counted)


@pytest.mark.parametrize("of_graph", structure.OF_GRAPH.values(), ids=structure.OF_GRAPH)
def test_a_graph_without_edges_scores_zero(of_graph):
    scores = of_graph(np.empty((2, 0), int), 3)
    assert_array_equal(np.nan_to_num(scores), np.zeros((3, 3)))


def test_random_scores_follow_their_seed():
    first = structure.random_scores(5, 1)
    assert_array_equal(first, np.random.default_rng(1).random((5, 5)))
    assert (first != structure.random_scores(5, 2)).all()


def test_edges_outside_the_nodes_are_refused():
    with pytest.raises(ValueError, match=r"known_edges must hold targets in 0 \.\. 2"):
        structure.in_degree([[0], [3]], 3)


COUNT = 7
MEASURED = np.array([5, 0, 3, 1])
PERTURBED = np.array([2, 0, 5])


def values(rows=25, digits=1):
    """Measured and perturbed nodes; of few digits, values tie."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, len(PERTURBED))).round(digits)
    y = rng.standard_normal((rows, len(MEASURED))).round(digits)
    y[:, 1] += y[:, 0]
    return (
        by_values.node_values("measured", (y, MEASURED), COUNT),
        by_values.node_values("perturbations", (x, PERTURBED), COUNT),
    )


def pairs(sources, targets, score_of):
    """Score pairs of different nodes that have values by a slow function."""
    scores = np.full((COUNT, COUNT), np.nan)
    for place, source in enumerate(sources):
        for other, target in enumerate(targets):
            if source != target:
                scores[source, target] = score_of(place, other)
    return scores


def absolute(a, b):
    return abs(spearmanr(a, b).statistic)


def test_correlations_are_those_of_scipy():
    y, x = values()
    for sources, left, found in (
        (MEASURED, y, by_values.plain_correlation(y, COUNT)),
        (PERTURBED, x, by_values.perturbation_correlation(x, y, COUNT)),
    ):
        slow = pairs(
            sources,
            MEASURED,
            lambda i, j, left=left: absolute(left.values[:, i], y.values[:, j]),
        )
        assert_allclose(found, slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("perturbed", [True, False])
def test_residual_correlation_takes_what_scikit_learn_leaves(perturbed):
    y, x = values(digits=15)
    # Node 4 is not measured; the self-edge and the edge given twice change nothing.
    known = np.array([[5, 0, 3, 3, 4, 1, 0], [0, 3, 1, 1, 3, 1, 5]])
    parents = {5: [1], 0: [0], 3: [1], 1: [2]}

    def score_of(i, j):
        target = MEASURED[j]
        own = np.flatnonzero(target == PERTURBED) if perturbed else []
        design = np.column_stack([y.values[:, parents[int(target)]], x.values[:, own]])
        model = LinearRegression().fit(design, y.values[:, j])
        return absolute(y.values[:, i], y.values[:, j] - model.predict(design))

    found = dict(by_values.measured_scores(y, x if perturbed else None, known, COUNT))
    slow = pairs(MEASURED, MEASURED, score_of)
    assert_allclose(found["residual_correlation"], slow, rtol=1e-9, atol=1e-12)


def test_residual_of_what_parents_explain_scores_zero():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20))
    y = by_values.node_values("measured", (np.stack([a, b, 2 * a + 1], axis=1), range(3)), 3)
    found = by_values.residual_correlation(y, np.zeros((20, 3)), [[0], [2]], 3)
    assert_array_equal(found[:2, 2], 0.0)
    assert_allclose(found[2, 1], absolute(a, b), rtol=1e-9)


@pytest.mark.parametrize("perturbed", [True, False])
@pytest.mark.parametrize(
    ("name", "fit"), [("regression", by_values.least_squares), ("ridge", by_values.ridge)]
)
def test_weights_lie_where_their_nodes_are(name, fit, perturbed):
    y, x = values(digits=15)
    own = np.zeros_like(y.values)
    if perturbed:
        own[:, 0], own[:, 1] = x.values[:, 2], x.values[:, 1]
    weights = fit(y.values, own)
    slow = pairs(MEASURED, MEASURED, lambda i, j: abs(weights[i, j]))
    known = np.empty((2, 0), int)
    found = dict(by_values.measured_scores(y, x if perturbed else None, known, COUNT))
    assert_array_equal(found[name], slow)


def test_constant_columns_correlate_to_zero():
    y = by_values.node_values("measured", (np.array([[1.0, 2], [1, 3], [1, 1]]), [0, 1]), 2)
    assert_array_equal(by_values.plain_correlation(y, 2), [[np.nan, 0.0], [0.0, np.nan]])


GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("pair", "error", "message"),
    [
        (GOOD, TypeError, r"measured must be a pair \(values"),
        ((GOOD, [0, 1]), ValueError, "a whole number for each of the 3 columns"),
        ((GOOD, [0, 1, 9]), ValueError, r"must lie in 0 \.\. 6.*got 9"),
        ((GOOD, [0, 1, 1]), ValueError, "must be different; got 1 several times: average"),
        ((GOOD[:2], [0, 1, 2]), ValueError, "at least 3 rows; got 2"),
        ((GOOD[0], [0, 1, 2]), ValueError, "must have 2 dimensions"),
        ((np.where(GOOD == 4, np.nan, GOOD), [0, 1, 2]), ValueError, "1 NaN or infinite"),
        ((GOOD.astype(str), [0, 1, 2]), TypeError, "must hold real numbers"),
    ],
)
def test_values_that_do_not_go_with_nodes_are_refused(pair, error, message):
    with pytest.raises(error, match=message):
        by_values.node_values("measured", pair, COUNT)


def mixed(rows, columns, seed=0):
    """Columns that depend on each other, and a column of their own for two in three."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((rows, columns)) + 3.0
    own[:, ::3] = 0.0
    mixture = rng.standard_normal((rows, columns)) @ rng.standard_normal((columns, columns))
    return 10.0 * mixture + own * 5.0 - 7.0, own


def standardized(x):
    varies = np.ptp(x, axis=0) > 0
    return np.where(varies, x - x.mean(axis=0), 0) / np.where(varies, x.std(axis=0), 1)


def design(values, own, column):
    """Predictors of one column, standardized."""
    others = np.delete(standardized(values), column, axis=1)
    extra = standardized(own)[:, [column]]
    return np.concatenate([others, extra], axis=1), standardized(values)[:, column]


@pytest.mark.parametrize(("rows", "columns"), [(60, 7), (40, 20), (15, 25), (5, 1)])
def test_ridge_weights_are_those_of_scikit_learn(rows, columns):
    values, own = mixed(rows, columns)
    found = by_values.ridge(values, own)
    for column in range(columns):
        # The solver by singular values; penalties there are of the sum of squares.
        oracle = RidgeCV(np.logspace(-4, 2, 25) * rows, gcv_mode="svd")
        oracle.fit(*design(values, own, column))
        weights = np.insert(oracle.coef_[:-1], column, 0.0)
        assert_allclose(found[:, column], weights, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(60, 7), (40, 20), (15, 25), (5, 1)])
def test_least_squares_are_those_of_scikit_learn(rows, columns):
    """With 15 rows of 25 columns the weights are the shortest of many, as scikit-learn's."""
    values, own = mixed(rows, columns)
    found = by_values.least_squares(values, own)
    for column in range(columns):
        x, y = design(values, own, column)
        for model, tolerance in (
            (Ridge(rows * 1e-6, solver="svd"), 1e-4),
            (LinearRegression(), 1e-2),
        ):
            weights = np.insert(model.fit(x, y).coef_[:-1], column, 0.0)
            assert_allclose(found[:, column], weights, atol=tolerance)


@pytest.mark.parametrize("fit", [by_values.least_squares, by_values.ridge])
def test_constant_columns_have_no_weight_and_change_nothing(fit):
    values, own = mixed(30, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(np.insert(values, 2, 4.5, axis=1), np.insert(own, 2, 1.0, axis=1))
    assert_array_equal(found[2], 0.0)
    assert_array_equal(found[:, 2], 0.0)
    rest = np.delete(np.delete(found, 2, axis=0), 2, axis=1)
    assert_allclose(rest, fit(values, own), rtol=1e-6, atol=1e-8)


def test_units_of_columns_do_not_matter():
    values, own = mixed(30, 5)
    scaled = by_values.ridge(values * [1e-200, 1.0, 1e150, 1e-9, 5.0], own * 1e-180)
    assert_allclose(scaled, by_values.ridge(values, own), rtol=1e-9, atol=1e-12)


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


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_originals_models_have_untrained_twins(name):
    (x, y), model = data(40), ORIGINALS[name]().eval()
    model.load_state_dict(
        {n: v + 0.1 * v.is_floating_point() for n, v in model.state_dict().items()}
    )
    model(x)  # leaves what it keeps of a pass
    made = FunctionEdgeInferer(model, CRIT, KNOWN, blocks=list(blocks_of(model)))
    how = {"score": "channels", "mode": "eval"}
    with assert_unchanged(model):
        if name == "bare weights":
            with pytest.raises(ValueError, match=r"ResBlocks\.2 has none: pass fresh="):
                made.infer(x, y, untrained=1, **how)
        else:
            made.infer(x, y, untrained=1, **how)
        evidence = made.infer(x, y, untrained=1, fresh=ORIGINALS[name], **how)
    own, before = (
        FunctionEdgeInferer(one, CRIT, KNOWN).fit(x, y, **how) for one in (model, ORIGINALS[name]())
    )
    assert_allclose(evidence.W, np.where(np.eye(6), own, (own + before) / 2), rtol=1e-5, atol=1e-6)
    assert (evidence.settings["untrained"], evidence.node_names) == (1, NAMES[:6])


def test_fresh_models_of_the_same_weights_are_reset():
    (x, y), trained = data(20), TinyGSNN(seed=3).eval()
    made, how = FunctionEdgeInferer(trained, CRIT, EDGES), {"seeds": 2, "score": "magnitude"}
    reset = untrained_scores(made, x, y, **how)
    for fresh in (lambda: TinyGSNN(seed=3), lambda: trained):
        assert_array_equal(untrained_scores(made, x, y, fresh=fresh, **how), reset)
    first, second = untrained_scores(made, x, y, fresh=TinyGSNN, **how)
    for seed, found in enumerate((first, second)):
        wanted = FunctionEdgeInferer(TinyGSNN(seed=seed).eval(), CRIT, EDGES).fit(x, y)
        assert_array_equal(found, wanted)


def test_weights_in_plain_lists_are_reset_too():
    model = PlainList().eval()
    twin = next(untrained_twins(FunctionEdgeInferer(model, CRIT, EDGES), 1))
    pairs = zip(model.ResBlocks, twin.model.ResBlocks, strict=True)
    assert all((one.lin_in.weight != other.lin_in.weight).any() for one, other in pairs)


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
        (with_bare_module, SCORED, ValueError, r"ResBlocks\.1\.dropout has none: pass fresh="),
        (with_bare_module, {}, ValueError, "like or score must be given: like=evidence"),
        (with_bare_module, {"like": EVIDENCE}, ValueError, "got evidence without a score"),
        (
            with_bare_module,
            {"like": replace(EVIDENCE, settings={"score": "channels", "norm": "l2"})},
            ValueError,
            "like must be evidence of this inferer; got norm='l2', and the inferer has 'l1'",
        ),
        (
            with_bare_module,
            SCORED | {"fresh": 3},
            TypeError,
            r"fresh must be a callable, fresh\(\)",
        ),
        (with_bare_module, {"seeds": 0}, ValueError, "seeds must be at least 1"),
        (TinyGSNN, {}, TypeError, "inferer must be a FunctionEdgeInferer; got TinyGSNN"),
    ],
)
def test_what_would_stay_trained_is_refused(inferer, options, error, message):
    with pytest.raises(error, match=message):
        untrained_scores(inferer(), *data(10), **options)
