"""compare ranks every row alike; differences of MRR have SciPy's intervals."""

import json
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import bootstrap, ttest_1samp

from gsnn_edges import EdgeEvidence, compare, evaluate_edges
from gsnn_edges.baselines import graph, measured
from gsnn_edges.baselines.comparison import BASELINES, mrr_difference
from gsnn_edges.baselines.structural import STRUCTURAL, structural_rows

NODES = 20
VALUES = measured.OF_VALUES


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
    values = rng.standard_normal((rows, 12)), rng.permutation(NODES)[:12]
    perturbations = rng.standard_normal((rows, 5)), rng.permutation(NODES)[:5]
    return {"observations": observations, "measured": values, "perturbations": perturbations}


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
def test_scores_rank_as_evaluate_edges_ranks_them(options):
    scores, edges, true, _ = problem()
    row = run(**options)["W"]
    wanted = evaluate_edges(scores, edges, true, **({"n_resamples": None, "seed": 0} | options))
    assert row.ranking.to_dict() == wanted.to_dict()
    assert (row.kind, row.coverage, row.mrr_difference) == ("given", 1.0, None)


def filled(matrix):
    return np.where(np.isnan(matrix), np.nanmin(matrix) - 1, matrix)


@pytest.mark.parametrize("left_out", [set(), {"perturbations"}, {*data()}])
def test_baselines_are_those_of_what_is_given(left_out):
    _, edges, true, known = problem()
    options = {name: value for name, value in data().items() if name not in left_out}
    comparison = run(**options)
    missing = {
        "measured": {*VALUES, *STRUCTURAL},
        "perturbations": {"perturbation_correlation", *STRUCTURAL},
        "observations": {"activation_correlation"},
    }
    absent = set().union(*(missing[name] for name in left_out))
    names = [name for name in BASELINES if name not in absent]
    assert [row.name for row in comparison.rows] == ["W", *names]
    if "measured" in options:
        y, x = (
            measured.node_values(name, options[name], NODES) if name in options else None
            for name in ("measured", "perturbations")
        )
        wanted = dict(measured.measured_scores(y, x, known, NODES))
        if x is not None:
            wanted |= dict(structural_rows(y, x, known, NODES, 0))
        for name, scores in wanted.items():
            ranking = evaluate_edges(filled(scores), edges, true, n_resamples=None)
            assert comparison[name].ranking.to_dict() == ranking.to_dict()


def test_unscored_pairs_share_the_lowest_rank():
    """Two measured nodes: their edge comes first, an edge to a third last but its ties."""
    values = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]]), [0, 1]
    chain = np.array([[0, 0], [1, 2]])
    options = {"known_edges": [[3], [2]], "measured": values, "n_resamples": None, "seed": 0}
    row = compare({"W": np.eye(4)}, chain, chain, **options)["plain_correlation"]
    assert row.coverage == 0.5
    # Candidates of 0 -> 2 are 0 and 3 as well, unscored too.
    assert_array_equal(row.ranking.queries.ranks.realistic, [1.0, 2.0])


def untrained_matrices():
    return [np.random.default_rng(90 + seed).standard_normal((NODES, NODES)) for seed in range(3)]


@pytest.mark.parametrize("form", ["list", "callable", "mapping"])
def test_difference_is_from_the_mean_of_untrained_models(form):
    scores, edges, true, _ = problem()
    before = untrained_matrices()
    forms = {"list": before, "callable": before.__getitem__, "mapping": {"W": before}}
    comparison = run(
        scores={"W": scores, "other": -scores}, untrained=forms[form], seeds=3, n_resamples=500
    )
    mrrs = [evaluate_edges(matrix, edges, true, n_resamples=None).mrr for matrix in before]
    row = comparison["W"]
    assert_allclose(row.mrr_difference.value, row.ranking.mrr - np.mean(mrrs), rtol=1e-12)
    low, high = row.mrr_difference.interval
    assert low < row.mrr_difference.value < high
    different = [row.name for row in comparison.rows if row.mrr_difference is not None]
    assert different == (["W"] if form == "mapping" else [row.name for row in comparison.rows])
    key = "W" if form == "mapping" else ""
    assert_allclose([ranking.mrr for ranking in comparison.untrained[key]], mrrs)


def test_seed_makes_everything_repeatable():
    options = {**data(), "untrained": untrained_matrices(), "n_resamples": 100, "seed": 3}
    first, second = (run(**options) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert first["random"].ranking.mrr != run(seed=4)["random"].ranking.mrr
    scores = [run(seed=None)["random"].ranking.queries.scores for _ in range(2)]
    assert not np.array_equal(*scores)


@pytest.mark.parametrize("named", [True, False])
def test_evidence_ranks_as_its_matrix(named):
    scores = problem()[0]
    evidence = EdgeEvidence(scores)
    found = run(scores={"mine": evidence, "other": -scores} if named else evidence)
    wanted = run(scores={"mine": scores, "other": -scores} if named else {"W": scores})
    assert found.to_dict() == wanted.to_dict()


def test_interval_over_queries_is_that_of_scipy():
    """Both ranks of an edge stay together: SciPy is shown their mean."""
    scores = problem()[0]
    options = {"direction": "both", "n_resamples": 20_000, "confidence": 0.9}
    comparison = run(scores={"W": scores, "other": -scores}, **options)
    ranks = [comparison[name].ranking.queries.ranks.realistic for name in ("W", "other")]
    means = [(1 / rank).reshape(2, -1).mean(axis=0) for rank in ranks]
    oracle = bootstrap(
        means,
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = comparison.difference("W", "other")
    assert_allclose(found.value, means[0].mean() - means[1].mean(), rtol=1e-12)
    # Two draws of 20,000: a few hundredths of the width apart.
    assert_allclose(found.interval, oracle, atol=0.03 * (oracle.high - oracle.low))
    none = comparison.difference("W", "W")
    assert (none.value, *none.interval) == (0.0, 0.0, 0.0)


def test_interval_over_seeds_is_that_of_student():
    """Queries that are all alike leave the seeds: SciPy's t interval of their mean."""
    rng = np.random.default_rng(0)
    queries, seeds = 50, 5
    others = 0.2 + 0.1 * rng.random((seeds, 1)) + np.zeros((seeds, queries))
    found = mrr_difference(np.full(queries, 0.5), others, 100_000, confidence=0.95, rng=rng)
    oracle = ttest_1samp(0.5 - others[:, 0], 0.0).confidence_interval(0.95)
    assert_allclose(found.interval, oracle, atol=0.02 * (oracle.high - oracle.low))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
def test_difference_from_few_seeds_covers(seeds):
    """Data with a known difference: 0.2, seeds of the untrained models 0.08 from each other."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        ranked = 0.5 + 0.1 * rng.standard_normal(60)
        others = 0.3 + 0.08 * rng.standard_normal((seeds, 1)) + 0.1 * rng.standard_normal(60)
        found = mrr_difference(ranked, others, 1000, confidence=0.95, rng=rng)
        covered.append(found.interval.low <= 0.2 <= found.interval.high)
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.filterwarnings("ignore:.*one query or cluster")
def test_one_edge_has_no_interval():
    scores, edges, true, known = problem()
    options = {"known_edges": known, "n_resamples": 100, "seed": 0, "direction": "both"}
    comparison = compare({"W": scores}, edges[:, :1], true, **options)
    assert_allclose(comparison.difference("W", "random").interval, [np.nan, np.nan])


def of_data(x, y):
    """Stand for networks: matrices that follow from the measured values."""
    base = np.zeros((NODES, NODES))
    base[: y.shape[1], : x.shape[1]] = y.T @ x
    return [base + shift * np.eye(NODES) for shift in (0.0, 1.0)]


def retrain(x, y):
    return {"W": of_data(x, y)[0]}


def test_permuted_rows_are_a_control_of_all_that_needs_no_training():
    given = data()
    order = np.random.default_rng([0, 1]).permutation(40)
    comparison = run(
        **given, untrained=of_data, permuted=1, n_resamples=200, scores={"W": problem()[0]}
    )
    _, edges, true, known = problem()
    y, x = (measured.node_values(k, given[k], NODES) for k in ("measured", "perturbations"))
    again = measured.node_values("measured", (y.values[order], y.nodes), NODES)
    wanted = dict(measured.measured_scores(again, x, known, NODES))
    wanted |= dict(structural_rows(again, x, known, NODES, 0))
    for name, scores in wanted.items():
        row = comparison[name]
        mrr = evaluate_edges(filled(scores), edges, true, n_resamples=None).mrr
        assert_allclose(row.permuted.mrr, mrr)
        assert_allclose(row.permuted.mrr_difference.value, row.ranking.mrr - mrr, atol=1e-12)
        low, high = row.permuted.mrr_difference.interval
        assert low <= row.permuted.mrr_difference.value <= high
    for name in ("random", *graph.OF_GRAPH):
        assert comparison[name].permuted.mrr_difference.value == 0
    untrained = comparison.untrained_permuted[""]
    again = of_data(x.values, y.values[order])
    mrrs = [evaluate_edges(matrix, edges, true, n_resamples=None).mrr for matrix in again]
    assert_allclose([ranking.mrr for ranking in untrained.rankings], mrrs)
    assert comparison["W"].permuted is comparison["activation_correlation"].permuted is None
    lines = [line for line in str(comparison).splitlines() if "needs retrain=" in line]
    assert [line.split()[0] for line in lines] == ["W", "activation_correlation"]
    apart = run(**given, permuted=1, permute="columns", structural=False)
    order = np.random.default_rng([0, 1]).permuted(np.tile(np.arange(40)[:, None], 12), axis=0)
    columns = np.take_along_axis(y.values, order, axis=0)
    scores = measured.plain_correlation(measured.node_values("y", (columns, y.nodes), NODES), NODES)
    mrr = evaluate_edges(filled(scores), edges, true, n_resamples=None).mrr
    assert_allclose(apart["plain_correlation"].permuted.mrr, mrr)
    listed = run(**given, untrained=untrained_matrices(), permuted=1, structural=False)
    assert "needs untrained(x, y)" in str(listed)
    assert not {row.name for row in listed.rows} & {*STRUCTURAL}


@pytest.mark.parametrize("several", [False, True])
def test_retrain_gives_a_trained_network_its_control(several):
    scores = {"W": problem()[0]} | ({"other": -problem()[0]} if several else {})
    result = retrain if several else (lambda x, y: EdgeEvidence(retrain(x, y)["W"]))
    given = data()
    comparison = run(**given, scores=scores, permuted=2, retrain=result)
    rng = np.random.default_rng([0, 2])
    (y, _), (x, _) = given["measured"], given["perturbations"]
    _, edges, true, _ = problem()
    wanted = [
        evaluate_edges(retrain(x, y[rng.permutation(40)])["W"], edges, true, n_resamples=None).mrr
        for _ in range(2)
    ]
    assert_allclose([ranking.mrr for ranking in comparison["W"].permuted.rankings], wanted)
    assert not several or comparison["other"].permuted is None


def test_several_models_rank_by_their_mean_and_show_their_spread():
    members = untrained_matrices()
    _, edges, true, _ = problem()
    row = run(scores={"W": [EdgeEvidence(each) for each in members]})["W"]
    singles = [evaluate_edges(each, edges, true, n_resamples=None) for each in members]
    mean = evaluate_edges(np.mean(members, axis=0), edges, true, n_resamples=None)
    assert_allclose(row.ranking.mrr, mean.mrr)
    assert_allclose(row.std["mrr"], np.std([each.mrr for each in singles], ddof=1))
    assert_allclose(row.std["hits@10"], np.std([each.hits[10] for each in singles], ddof=1))
    frame = run(scores=[*members]).to_frame().set_index("name")
    assert_allclose(frame.loc["W", "mrr_std"], row.std["mrr"])
    assert_allclose(frame.loc["W model 2", "mrr"], singles[2].mrr)


def test_a_structural_score_that_cannot_be_is_left_out_with_its_reason():
    given = data(rows=12)
    comparison = run(**given, permuted=1)
    assert not {row.name for row in comparison.rows} & {*STRUCTURAL}
    assert len(comparison.notes) == 1
    assert "structural_score is left out: measured must have more rows" in str(comparison)
    assert comparison.to_dict()["notes"] == [*comparison.notes]


@pytest.fixture(scope="module")
def comparison():
    scores = problem()[0]
    before = {"good": untrained_matrices()[:2]}
    return run(scores={"good": scores, "bad": -scores}, **data(), untrained=before, n_resamples=300)


def test_rows_have_names(comparison):
    assert comparison["bad"] is comparison.rows[1]
    with pytest.raises(KeyError, match=r"'W' is no row; there are good, bad, random"):
        comparison["W"]


def test_dict_is_strict_json_and_holds_all_values(comparison):
    plain = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert plain == comparison.to_dict()
    first, difference = plain["rows"][0], comparison["good"].mrr_difference
    assert first["mrr_difference"] == {
        "value": difference.value,
        "interval": list(difference.interval),
    }
    assert first["ranking"] == comparison["good"].ranking.to_dict()
    assert plain["rows"][1]["mrr_difference"] is None
    assert len(plain["untrained"]["good"]) == 2


def test_frame_has_a_row_for_each_score(comparison):
    frame = comparison.to_frame()
    names = [row.name for row in comparison.rows]
    assert list(frame["name"]) == [*names, "good seed 0", "good seed 1"]
    kinds = ["given"] * 2 + ["baseline"] * (len(names) - 2) + ["untrained"] * 2
    assert list(frame["kind"]) == kinds
    row, good = frame.set_index("name").loc["good"], comparison["good"]
    for name in ("mrr", "adjusted_mrr", "mean_rank", "median_rank", "amri"):
        assert row[name] == getattr(good.ranking, name)
    for name in ("auroc", "average_precision"):
        assert row[name] == getattr(good.ranking.separation, name)
    assert row["hits@3"] == good.ranking.hits[3]
    assert (row["mrr_low"], row["mrr_high"]) == good.ranking.intervals["mrr"]
    assert row["mrr_difference"] == good.mrr_difference.value
    ends = row["mrr_difference_low"], row["mrr_difference_high"]
    assert ends == good.mrr_difference.interval
    assert frame["mrr_difference"][1:].isna().all()


def test_frame_without_pandas_says_what_to_install(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[frames\]'"):
        comparison.to_frame()


def test_table_has_a_line_for_each_row(comparison):
    heading, title, *lines = str(comparison).splitlines()
    assert heading.startswith("20 rankings, direction tail, among ")
    assert title.split() == [
        *("mrr", "95%", "interval", "amri", "auroc", "coverage"),
        *("mrr", "difference", "95%", "interval"),
    ]
    names = [row.name for row in comparison.rows]
    names.insert(2, "good untrained, mean of 2")
    assert [line.split("  ")[0] for line in lines] == names
    untrained = np.mean([ranking.mrr for ranking in comparison.untrained["good"]])
    assert f"{untrained:.4f}" in lines[2]
    assert f"{comparison['good'].mrr_difference.value:+.4f}" in lines[0]
    assert f" {comparison['good'].ranking.separation.auroc:.4f} " in lines[0]
    assert len(lines[0]) == len(title)
    assert repr(comparison) == str(comparison)


NAN = np.full((NODES, NODES), np.nan)
SQUARE = np.zeros((NODES, NODES))
FEW = np.arange(12.0).reshape(4, 3), [0, 1, 2]
CONTROLLED = {"measured": FEW, "permuted": 1}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scores": {}}, TypeError, "got dict without an entry"),
        ({"scores": {3: SQUARE}}, TypeError, "scores must have names of str; got 3"),
        ({"scores": {"W": NAN}}, ValueError, r"scores\['W'\] must be finite; got 400 NaN"),
        ({"scores": {"W": SQUARE[:3]}}, ValueError, r"scores\['W'\] must be square"),
        ({"scores": {"W": [[1.0]]}}, TypeError, r"scores\['W'\] must be an array"),
        ({"known_edges": [[0], [NODES]]}, ValueError, "known_edges must hold targets"),
        ({"known_edges": problem()[1][:, 3:4]}, ValueError, "1 of the 20 columns .* them, 3: leav"),
        ({"observations": SQUARE[:, :3]}, ValueError, r"must have shape \(M, 20\).*got \(20, 3\)"),
        ({"observations": SQUARE[:2]}, ValueError, "of observations must be at least 3; got 2"),
        (
            {"measured": FEW, "perturbations": (np.ones((5, 3)), [0, 1, 2])},
            ValueError,
            "must be of the same samples; got 4 and 5 rows",
        ),
        ({"untrained": []}, TypeError, "or a list of matrices, at least one"),
        ({"untrained": {"W": [np.eye(3)]}}, ValueError, r"untrained\['W'\] must hold .*got 3"),
        ({"untrained": [NAN]}, ValueError, "untrained, matrix 0 must be finite"),
        ({"untrained": lambda seed: SQUARE, "seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"direction": "up"}, ValueError, "direction must be one of"),
        ({"n_resamples": 7}, ValueError, "n_resamples must be at least 100"),
        ({"permuted": 1}, ValueError, "permuted must come with measured"),
        ({"scores": {"W": []}}, ValueError, r"scores\['W'\] must hold a matrix"),
        (CONTROLLED | {"retrain": 3}, TypeError, r"retrain must be a callable, retrain\(x, y\)"),
        (
            CONTROLLED | {"retrain": lambda x, y: print},
            TypeError,
            r"what retrain returns\['W'\] must be an array",
        ),
        (
            CONTROLLED | {"retrain": lambda x, y: np.eye(3)},
            ValueError,
            "what retrain returns must be a matrix of the 20 nodes of scores; got 3 nodes",
        ),
        (
            CONTROLLED | {"retrain": lambda x, y: {"V": SQUARE}},
            ValueError,
            "must return scores of those that are compared, W; got V",
        ),
        (
            CONTROLLED | {"retrain": lambda x, y: SQUARE, "scores": {"W": SQUARE, "V": SQUARE}},
            ValueError,
            "must return a mapping by the names of scores, W, V",
        ),
    ],
)
def test_arguments_that_break_a_rule_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)
