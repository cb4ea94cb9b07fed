"""Every row is ranked alike, whatever its score is made of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from gsnn_edges import EdgeEvidence, evaluate_edges
from gsnn_edges.baselines import compare
from gsnn_edges.baselines import graph as structure
from gsnn_edges.baselines import measured as by_values
from gsnn_edges.baselines.comparison import OF_GRAPH

NODES = 20
GRAPH = ["random", *OF_GRAPH]


def problem(seed=0):
    """Draw a score, queries, all true edges and the known ones, off the diagonal."""
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(~np.eye(NODES, dtype=bool)).T
    true = pairs[:, rng.permutation(pairs.shape[1])[:70]]
    scores = rng.standard_normal((NODES, NODES))
    scores[true[0], true[1]] += 1.0
    return scores, true[:, :20], true, true[:, 20:]


def data(seed=0, rows=40):
    """Draw activations, and measured and perturbed values of some nodes."""
    rng = np.random.default_rng(seed)
    observations = rng.standard_normal((60, NODES))
    measured = rng.standard_normal((rows, 12)), rng.permutation(NODES)[:12]
    perturbations = rng.standard_normal((rows, 5)), rng.permutation(NODES)[:5]
    return {"observations": observations, "measured": measured, "perturbations": perturbations}


def run(**options):
    scores, edges, true, known = problem()
    options = {"known_edges": known, "n_resamples": None, "seed": 0} | options
    return compare(options.pop("scores", {"W": scores}), edges, true, **options)


def half_of_the_pairs():
    mask = np.random.default_rng(9).random((NODES, NODES)) > 0.5
    mask[tuple(problem()[1])] = True
    return mask


RANKING = {
    "tail": {"direction": "tail"},
    "head": {"direction": "head", "ks": [2]},
    "both": {"direction": "both", "exclude_self": True},
    "mask": {"candidates": half_of_the_pairs(), "n_resamples": 200},
    "rule": {"candidates": "a* -> *", "node_names": [f"a{k}" for k in range(NODES)]},
}


@pytest.mark.parametrize("options", RANKING.values(), ids=RANKING)
def test_given_scores_rank_as_evaluate_edges_ranks_them(options):
    scores, edges, true, _ = problem()
    found = run(**options)["W"]
    wanted = evaluate_edges(scores, edges, true, **({"n_resamples": None, "seed": 0} | options))
    assert found.ranking.to_dict() == wanted.to_dict()
    assert (found.kind, found.coverage, found.mrr_difference) == ("given", 1.0, None)


def filled(matrix):
    return np.where(np.isnan(matrix), np.nanmin(matrix) - 1, matrix)


def test_graph_baselines_rank_as_their_scores():
    _, edges, true, known = problem()
    found = run(exclude_self=True)
    assert [row.name for row in found.rows] == ["W", *GRAPH]
    for name, of_graph in OF_GRAPH.items():
        wanted = evaluate_edges(
            filled(of_graph(known, NODES)), edges, true, n_resamples=None, exclude_self=True
        )
        assert found[name].ranking.to_dict() == wanted.to_dict()
        assert found[name].coverage == 1.0
    wanted = evaluate_edges(
        structure.random_scores(NODES, 0), edges, true, n_resamples=None, exclude_self=True
    )
    assert found["random"].ranking.to_dict() == wanted.to_dict()


def test_value_baselines_rank_as_their_scores_and_say_what_they_cover():
    _, edges, true, known = problem()
    given = data()
    found = run(**given)
    y, x = (
        by_values.node_values(name, given[name], NODES) for name in ("measured", "perturbations")
    )
    activations = np.abs(spearmanr(given["observations"]).statistic)
    np.fill_diagonal(activations, np.nan)
    wanted = {
        "activation_correlation": activations,
        "plain_correlation": by_values.plain_correlation(y, NODES),
        "perturbation_correlation": by_values.perturbation_correlation(x, y, NODES),
        "residual_correlation": by_values.residual_correlation(y, x, known, NODES),
        "regression": by_values.regression_weights(y, x, NODES),
        "ridge": by_values.ridge_weights(y, x, NODES),
    }
    assert [row.name for row in found.rows] == ["W", *GRAPH, *wanted]
    for name, scores in wanted.items():
        ranking = evaluate_edges(filled(scores), edges, true, n_resamples=None)
        assert_allclose(found[name].ranking.mrr, ranking.mrr, rtol=1e-6)
        covered = [np.isfinite(scores[s, t]) for s, t in edges.T]
        assert_allclose(found[name].coverage, np.mean(covered))


def test_unscored_pairs_share_the_lowest_rank():
    """Two measured nodes: their edge comes first, an edge to a third last but its ties."""
    values = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]]), [0, 1]
    chain = np.array([[0, 0], [1, 2]])
    found = compare(
        {"W": np.eye(4)},
        chain,
        chain,
        known_edges=[[3], [2]],
        measured=values,
        n_resamples=None,
        seed=0,
    )
    row = found["plain_correlation"]
    assert row.coverage == 0.5
    # Candidates of 0 -> 2 are 0 and 3 as well, unscored too.
    assert_array_equal(row.ranking.queries.ranks.realistic, [1.0, 2.0])


def untrained_matrices():
    return [np.random.default_rng(90 + seed).standard_normal((NODES, NODES)) for seed in range(3)]


@pytest.mark.parametrize("form", ["list", "callable", "mapping"])
def test_lift_is_over_the_mean_of_untrained_models(form):
    scores, edges, true, _ = problem()
    before = untrained_matrices()
    forms = {"list": before, "callable": before.__getitem__, "mapping": {"W": before}}
    found = run(
        scores={"W": scores, "other": -scores}, untrained=forms[form], seeds=3, n_resamples=500
    )
    mrrs = [evaluate_edges(matrix, edges, true, n_resamples=None).mrr for matrix in before]
    assert_allclose(
        found["W"].mrr_difference.value, found["W"].ranking.mrr - np.mean(mrrs), rtol=1e-12
    )
    low, high = found["W"].mrr_difference.interval
    assert low < found["W"].mrr_difference.value < high
    with_lift = [row.name for row in found.rows if row.mrr_difference is not None]
    assert with_lift == (["W"] if form == "mapping" else [row.name for row in found.rows])
    key = "W" if form == "mapping" else ""
    assert_allclose([ranking.mrr for ranking in found.untrained[key]], mrrs)


def test_seed_makes_everything_repeatable():
    first, second = (
        run(**data(), untrained=untrained_matrices(), n_resamples=100, seed=3) for _ in range(2)
    )
    assert first.to_dict() == second.to_dict()
    assert first["random"].ranking.mrr != run(seed=4)["random"].ranking.mrr


def test_without_a_seed_random_scores_differ():
    scores = [run(seed=None)["random"].ranking.queries.scores for _ in range(2)]
    assert not np.array_equal(*scores)


@pytest.mark.parametrize("named", [True, False])
def test_evidence_ranks_as_its_matrix(named):
    scores = problem()[0]
    evidence = EdgeEvidence(scores)
    given = {"mine": evidence, "other": -scores} if named else evidence
    found = run(scores=given)
    wanted = run(scores={"mine": scores, "other": -scores} if named else {"W": scores})
    assert found.to_dict() == wanted.to_dict()


def test_scores_of_every_library_are_taken(library):
    scores, edges, true, known = problem()
    given = scores.astype(np.float32)
    found = compare(
        {"W": library.array(given)}, edges, true, known_edges=known, n_resamples=None, seed=0
    )
    wanted = evaluate_edges(given, edges, true, n_resamples=None)
    assert_allclose(found["W"].ranking.mrr, wanted.mrr, rtol=1e-12)
