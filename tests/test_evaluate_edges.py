"""evaluate_edges equals mrr to the bit, a slow loop, PyKEEN, scikit-learn and SciPy."""

import json
import sys
from fnmatch import fnmatchcase
from fractions import Fraction

import numpy as np
import pytest
import rankings
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from libraries import require
from numpy.testing import assert_allclose, assert_array_equal
from rankings import PykeenRanks
from rankings import pykeen_metrics as pykeen
from sklearn.metrics import average_precision_score, roc_auc_score

from gsnn_edges import evaluate_edges, mrr
from gsnn_edges.evaluation.metrics import averages, bootstrap, ranks_of, reciprocal_sums

STRANGE = pytest.mark.filterwarnings("ignore:.* edges in edge_index are")
AXES = {"tail": [0], "head": [1], "both": [0, 1]}
NAMES = [f"{kind}__{number}" for kind in ("PROTEIN", "RNA") for number in range(10)]
KS = (1, 3, 10)
INTERVALS = ("mrr", "adjusted_mrr", "mean_rank", "amri", *(f"hits@{k}" for k in KS))


def evaluated(problem=0, **options):
    scores, edges, true_edges = rankings.proper_problem(problem)
    return evaluate_edges(scores, edges, true_edges, **{"n_resamples": None, **options})


@STRANGE
@pytest.mark.parametrize("levels", [1, 12, 10**6])
def test_mrr_is_a_special_case_to_the_bit(library, levels):
    if library.jit:
        pytest.skip("ranking is eager only")
    scores, edges, true_edges = rankings.problem(levels, levels=levels)
    scores = library.array(scores)
    found = evaluate_edges(scores, edges, true_edges, n_resamples=None)
    assert_array_equal(found.mrr, mrr(scores, edges, true_edges))


def by_rules(*rules):
    """Mark the pairs that one rule matches, one pair at a time."""
    pairs = [tuple(part.strip() for part in rule.split("->")) for rule in rules]
    return np.array(
        [
            [any(fnmatchcase(s, f) and fnmatchcase(t, g) for f, g in pairs) for t in NAMES]
            for s in NAMES
        ]
    )


MASK = np.random.default_rng(0).random((20, 20)) < 0.4
OFF_DIAGONAL = ~np.eye(20, dtype=bool)
RULE, RULES = "PROTEIN__* -> RNA__*", ["PROTEIN__[0-4] -> *", "RNA__? ->PROTEIN__3"]
POOLS = {
    "all": ({}, np.ones((20, 20), bool)),
    "mask": ({"candidates": MASK}, MASK),
    "mask as lists": ({"candidates": MASK.tolist(), "exclude_self": True}, MASK & OFF_DIAGONAL),
    "no self": ({"exclude_self": True}, OFF_DIAGONAL),
    "rule": ({"candidates": RULE, "node_names": NAMES}, by_rules(RULE)),
    "rules": (
        {"candidates": RULES, "node_names": NAMES, "exclude_self": True},
        by_rules(*RULES) & OFF_DIAGONAL,
    ),
}


def pool_by_scikit_learn(scores, edges, true_edges, allowed):
    """AUROC and more of every positive, duplicates too, among every negative."""
    negative = allowed.copy()
    for known in (edges, true_edges):
        negative[known[0], known[1]] = False
    values = np.concatenate([scores[edges[0], edges[1]], scores[negative]])
    truth = np.arange(len(values)) < edges.shape[1]
    return roc_auc_score(truth, values), average_precision_score(truth, values), truth.mean()


def assert_equals_a_loop(A, problem, direction, allowed, **options):
    scores, edges, true_edges = problem
    inside = allowed[edges[0], edges[1]]
    edges = edges[:, inside]
    found = evaluate_edges(
        A, edges, true_edges, direction=direction, n_resamples=None, ks=KS[:2], **options
    )
    parts = [
        rankings.counts(scores, edges, true_edges, head=axis == 1, allowed=allowed)
        for axis in AXES[direction]
    ]
    above, level, candidates = np.concatenate(parts, axis=1)
    queries = found.queries
    assert_array_equal(queries.ranks.optimistic, 1 + above)
    assert_array_equal(queries.ranks.realistic, 1 + above + level / 2)
    assert_array_equal(queries.ranks.pessimistic, 1 + above + level)
    assert_array_equal(queries.candidates, candidates)
    assert_array_equal(queries.scores, np.tile(scores[edges[0], edges[1]], len(parts)))
    pool = found.separation
    assert_allclose(
        [pool.auroc, pool.average_precision, pool.prevalence],
        pool_by_scikit_learn(scores, edges, true_edges, allowed),
        rtol=1e-12,
    )
    return found


@pytest.mark.filterwarnings("ignore:.*no candidate but")
@pytest.mark.parametrize("direction", AXES)
@pytest.mark.parametrize("pool", POOLS)
def test_equals_a_loop_and_pykeen(direction, pool):
    options, allowed = POOLS[pool]
    before = MASK.copy()
    found = assert_equals_a_loop(
        rankings.proper_problem(3)[0], rankings.proper_problem(3), direction, allowed, **options
    )
    assert_array_equal(MASK, before)
    queries = found.queries
    anchor = np.where(queries.head, queries.edges[1] + 20, queries.edges[0])
    _, node, size = np.unique(anchor, return_inverse=True, return_counts=True)
    for averaged, weights in ((found, None), (found.macro, 1 / size[node])):
        assert_equals_pykeen(averaged, queries, weights)
    assert found.median_rank == pykeen.MedianRank()(queries.ranks.realistic)


def assert_equals_pykeen(averaged, queries, weights):
    more = {"num_candidates": queries.candidates, "weights": weights}
    for kind in ("optimistic", "realistic", "pessimistic"):
        ranks, suffix = getattr(queries.ranks, kind), "" if kind == "realistic" else f"_{kind}"
        expected = {
            "mrr": pykeen.InverseHarmonicMeanRank()(ranks, **more),
            "mean_rank": pykeen.ArithmeticMeanRank()(ranks, **more),
        }
        ours = {name: getattr(averaged, name + suffix) for name in expected}
        assert_allclose(list(ours.values()), list(expected.values()), rtol=1e-12)
        hits = [pykeen.HitsAtK(k)(ranks, **more) for k in KS[:2]]
        assert_allclose(list(getattr(averaged, f"hits{suffix}").values()), hits, rtol=1e-12)
    ranks = queries.ranks.realistic
    pairs = {
        averaged.amri: pykeen.AdjustedArithmeticMeanRankIndex()(ranks, **more),
        averaged.adjusted_mrr: pykeen.AdjustedInverseHarmonicMeanRank()(ranks, **more),
        averaged.expected_mrr: pykeen.InverseHarmonicMeanRank().expected_value(**more),
        averaged.expected_mean_rank: pykeen.ArithmeticMeanRank().expected_value(**more),
        averaged.expected_hits[3]: pykeen.HitsAtK(3).expected_value(**more),
    }
    assert_allclose(list(pairs), list(pairs.values()), rtol=1e-9)


@STRANGE
@pytest.mark.parametrize("options", [{}, {"candidates": MASK}], ids=["all", "mask"])
def test_every_library_equals_a_loop(library, options):
    if library.jit:
        pytest.skip("ranking is eager only")
    problem = rankings.problem(3)
    allowed = options.get("candidates", np.ones((20, 20), bool))
    A, options = library.array(problem[0]), {**options, "query_chunk_size": 10}
    assert_equals_a_loop(A, problem, "both", allowed, **options)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8", "bfloat16"])
def test_every_dtype_equals_a_loop(dtype):
    problem = rankings.proper_problem(0)
    tensor = torch.from_numpy(problem[0])
    A = tensor.bfloat16() if dtype == "bfloat16" else problem[0].astype(dtype)
    assert_equals_a_loop(A, problem, "tail", np.ones((20, 20), bool))


@pytest.mark.parametrize("nodes", [520, 800])
def test_pools_of_many_blocks_equal_scikit_learn(nodes):
    """One and two sorted blocks, and rows that are left over."""
    scores, edges, true_edges = rankings.proper_problem(1, nodes, 300, 10**6)
    found = evaluate_edges(scores, edges, true_edges, n_resamples=None).separation
    expected = pool_by_scikit_learn(scores, edges, true_edges, np.ones((nodes, nodes), bool))
    assert_allclose([found.auroc, found.average_precision, found.prevalence], expected, rtol=1e-12)


@STRANGE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("levels", [1, 30, 10**7])
def test_kernels_count_what_sorts_count(levels, dtype, monkeypatch):
    require("numba")
    rng, nodes = np.random.default_rng(0), 300
    scores = rng.integers(-levels, levels, (nodes, nodes)).astype(dtype) / levels
    scores[rng.random(scores.shape) < 0.1] = -0.0
    scores[0, 1] = 1e30  # a query; all others are near each other
    places = [*range(1, 252), *rng.choice(np.arange(nodes, nodes**2), 900, replace=False)]
    edges = np.stack(np.divmod(places, nodes))  # of node 0 more than are counted one by one
    edges = edges[:, edges[0] != edges[1]]
    for matrix in (scores, np.asfortranarray(scores)):
        results = []
        for path in ("plain", "kernel"):
            monkeypatch.setenv("GSNN_EDGES_PATH", path)
            options = {"direction": "both", "exclude_self": True, "n_resamples": None}
            found = evaluate_edges(matrix, edges, edges[:, 5:], query_chunk_size=70, **options)
            results.append((found.separation, found.to_frame()))
        assert results[0][0] == results[1][0]
        assert results[0][1].equals(results[1][1])


@pytest.mark.parametrize("levels", [1, 3, 50])
def test_ranks_of_ties_equal_pykeens(levels):
    scores = np.random.default_rng(levels).integers(0, levels, (30, 30)).astype(np.float32)
    edges = np.stack([np.arange(30), (np.arange(30) + 1) % 30])
    found = evaluate_edges(scores, edges, n_resamples=None, pool_metrics=False).queries.ranks
    own = torch.from_numpy(scores[edges[0], edges[1], None])
    expected = PykeenRanks.from_scores(own, torch.from_numpy(scores))
    for kind in ("optimistic", "realistic", "pessimistic"):
        assert_array_equal(getattr(found, kind), getattr(expected, kind).numpy(), kind)


@pytest.mark.parametrize("first", [1, 2, 14, 15, 16, 17, 100, 1000])
@pytest.mark.parametrize("more", [0, 1, 13, 15, 16, 300])
def test_sums_of_reciprocals_equal_fractions(first, more):
    expected = float(sum(Fraction(1, r) for r in range(first, first + more + 1)))
    found = reciprocal_sums(np.array([first]), np.array([first + more]))
    assert_allclose(found, [expected], rtol=1e-12)


def test_long_sums_of_reciprocals_equal_digamma():
    first = np.array([1.0, 5.0, 16.0, 1e4, 1e6, 1e7])
    last = np.array([1e6, 1e7, 1e5, 1e8, 3e6, 1e7])
    expected = scipy.special.digamma(last + 1) - scipy.special.digamma(first)
    expected[-1] = 1e-7
    assert_allclose(reciprocal_sums(first, last), expected, rtol=1e-12)


@pytest.mark.parametrize("direction", AXES)
def test_macro_is_the_mean_of_node_means_by_pandas(direction):
    found = evaluated(4, direction=direction)
    frame = found.to_frame()
    anchor = np.where(frame["direction"] == "head", frame["target"], frame["source"])
    nodes = frame.assign(anchor=anchor, hit=frame["realistic"] <= 3, rr=1 / frame["realistic"])
    nodes = nodes.groupby(["direction", "anchor"])[["rr", "realistic", "hit"]].mean().mean()
    ours = [found.macro.mrr, found.macro.mean_rank, found.macro.hits[3]]
    assert_allclose(ours, nodes.to_numpy(float), rtol=1e-12)


def test_true_edges_are_the_queries_by_default():
    scores, edges, _ = rankings.proper_problem(5)
    default = evaluate_edges(scores, edges, n_resamples=None)
    assert default.to_dict() == evaluate_edges(scores, edges, edges, n_resamples=None).to_dict()
    assert_array_equal(default.mrr, mrr(scores, edges, edges))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(3, 12), st.integers(1, 20), st.integers(1, 30))
def test_laws_of_any_graph(seed, nodes, queries, levels):
    queries = min(queries, nodes * (nodes - 1) // 3)
    scores, edges, true_edges = rankings.proper_problem(seed, nodes, queries, levels)
    options = {"direction": "both", "ks": [1], "n_resamples": None}
    plain = evaluate_edges(scores, edges, true_edges, **options)
    assert 0 < plain.mrr <= 1
    # The reciprocal of a mean is at most the mean of the reciprocals.
    order = [plain.mrr_pessimistic, plain.mrr, plain.mrr_random_ties, plain.mrr_optimistic]
    assert_allclose(order, sorted(order), rtol=1e-12)
    every = np.ones((nodes, nodes), bool)
    assert (
        evaluate_edges(scores, edges, true_edges, candidates=every, **options).to_dict()
        == plain.to_dict()
    )
    order = np.random.default_rng(seed).permutation(nodes)
    places = np.argsort(order)
    moved = evaluate_edges(
        scores[np.ix_(order, order)], places[edges], places[true_edges], **options
    )
    assert_array_equal(moved.queries.ranks.realistic, plain.queries.ranks.realistic)
    assert_allclose(moved.macro.mrr, plain.macro.mrr, rtol=1e-12)
    assert_allclose(moved.separation.auroc, plain.separation.auroc, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.floats(0, 20))
def test_it_falls_when_a_competitor_rises(seed, rise):
    scores, edges, true_edges = rankings.proper_problem(seed)
    known = set(zip(*true_edges.tolist(), strict=True))
    rival = next(t for t in range(20) if (edges[0, 0], t) not in known)
    before = evaluate_edges(scores, edges, true_edges, n_resamples=None)
    scores[edges[0, 0], rival] += rise
    after = evaluate_edges(scores, edges, true_edges, n_resamples=None)
    for name in ("mrr", "mrr_optimistic", "mrr_pessimistic", "mrr_random_ties", "amri"):
        # Rounding of a mean: numbers that are equal may differ in their last digit.
        assert getattr(after, name) <= getattr(before, name) + 1e-12, name


def resampled(queries, units, weights, rng, n_resamples):
    """Every metric of every resample, drawn and averaged one at a time."""
    rank, n = queries.ranks.realistic, queries.candidates
    by_chance = np.array([np.sum(1 / np.arange(1, size + 1)) / size for size in n])
    members = [np.flatnonzero(units == unit) for unit in range(units.max() + 1)]
    rows = []
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(members), len(members))
        some = np.concatenate([members[unit] for unit in drawn])
        means = [
            np.average(values[some], weights=weights[some])
            for values in (1 / rank, by_chance, rank, (n + 1) / 2, *(rank <= k for k in KS))
        ]
        reciprocal, chance, mean_rank, expected_rank, *hits = means
        adjusted = (reciprocal - chance) / (1 - chance)
        rows.append(
            [reciprocal, adjusted, mean_rank, 1 - (mean_rank - 1) / (expected_rank - 1), *hits]
        )
    return np.array(rows)


@pytest.mark.parametrize("direction", AXES)
@pytest.mark.parametrize("cluster", ["query", "source"])
def test_intervals_equal_a_loop_over_resamples(direction, cluster):
    options = {"direction": direction, "cluster": cluster, "n_resamples": 200, "confidence": 0.9}
    found, again = (evaluated(6, seed=1, **options) for _ in range(2))
    assert found.intervals == again.intervals
    queries, axis = found.queries, AXES[direction][0]
    of_edge = queries.edges[axis, :40] if cluster == "source" else np.arange(40)
    units = np.tile(np.unique(of_edge, return_inverse=True)[1], len(AXES[direction]))
    rng = np.random.default_rng(1)
    nested = cluster == "source" and direction != "both"
    assert set(found.macro.intervals) == (set(INTERVALS) if nested else set())
    weights = {"micro": (found, np.ones(len(units)))}
    if nested:
        weights["macro"] = (found.macro, 1 / np.bincount(units)[units])
    for averaged, weight in weights.values():
        drawn = resampled(queries, units, weight, rng, 200)
        expected = np.percentile(drawn, [5, 95], axis=0).T
        ours = [averaged.intervals[name] for name in INTERVALS]
        assert_allclose(ours, expected, rtol=1e-9)


def test_intervals_of_many_queries_equal_scipys():
    """So many queries that their resamples are drawn in several blocks."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((90, 90))
    edges = rng.permutation(np.argwhere(~np.eye(90, dtype=bool)))[:5000].T
    found = evaluate_edges(scores, edges, n_resamples=1000, seed=2, pool_metrics=False)
    expected = scipy.stats.bootstrap(
        (1 / found.queries.ranks.realistic,), np.mean, n_resamples=1000, batch=1,
        method="percentile", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert_allclose(found.intervals["mrr"], expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_coverage_of_a_known_population(clustered):
    """Draw samples of a large population: 93 to 97 % of the intervals hold its mean."""
    rng = np.random.default_rng(0)
    # 20,000 nodes; the four queries of a node have much in common.
    above = rng.binomial(59, np.repeat(rng.beta(0.7, 2, 20_000), 4))
    truth = averages(ranks_of(above, 0 * above), np.full(80_000, 60), KS)
    values = {"mrr": truth.mrr, "mean_rank": truth.mean_rank, "amri": truth.amri}
    values["hits@10"] = truth.hits[10]
    held = dict.fromkeys(values, 0)
    for _ in range(1000):
        if clustered:
            rows = (rng.choice(20_000, 600)[:, None] * 4 + np.arange(4)).reshape(-1)
        else:
            rows = rng.choice(80_000, 600)
        units = np.arange(len(rows)) // (4 if clustered else 1)
        ranks, sizes = ranks_of(above[rows], 0 * above[rows]), np.full(len(rows), 60)
        found = bootstrap(ranks, sizes, KS, units, 500, None, confidence=0.95, rng=rng)
        for name, value in values.items():
            held[name] += found[name].low <= value <= found[name].high
    assert_allclose([count / 1000 for count in held.values()], 0.95, rtol=0, atol=0.02)


def test_default_depths_stop_at_the_largest_ranking():
    assert list(evaluated().hits) == [1, 3, 10]
    assert list(evaluated(ks=(5, 2, 5)).hits) == [2, 5]
    assert evaluated(ks=()).hits == {}


def test_scores_that_carry_gradients_and_masks_of_torch():
    scores, edges, true_edges = rankings.proper_problem(0)
    allowed = MASK.copy()
    allowed[edges[0], edges[1]] = True
    tensors = [torch.from_numpy(x) for x in (scores, edges, true_edges, allowed)]
    tensors[0].requires_grad_()
    found = evaluate_edges(*tensors[:3], candidates=tensors[3], n_resamples=None)
    assert found.to_dict() == evaluated(candidates=allowed).to_dict()


def test_pool_metrics_can_be_left_out():
    found = evaluated(pool_metrics=False)
    assert found.separation is None
    assert found.to_dict()["separation"] is None
    assert "auroc" not in str(found)


@pytest.mark.parametrize(
    ("edges", "true_edges", "options", "phrase"),
    [
        ([[0, 1], [0, 2]], [[0, 1], [0, 2]], {}, "1 of the 2 edges in edge_index are self-edges"),
        ([[0, 1], [1, 2]], [[0], [1]], {}, "1 of the 2 edges .* missing from all_true_edges"),
        ([[0, 1], [1, 2]], [[0, 0, 0, 1], [0, 1, 2, 2]], {}, "1 of the 2 rankings hold no cand"),
        ([[0], [1]], None, {"n_resamples": 100}, "one query or cluster cannot be resampled"),
        ([[0, 0], [1, 2]], None, {"n_resamples": 100, "cluster": "source"}, "one query or cluster"),
    ],
)
def test_strange_queries_are_counted_in_warnings(edges, true_edges, options, phrase):
    with pytest.warns(UserWarning, match=f"evaluate_edges: {phrase}") as seen:
        found = evaluate_edges(
            np.eye(3), edges, true_edges, ks=[1], **{"n_resamples": None, **options}
        )
    assert [warning.filename for warning in seen] == [__file__]
    ends = [end for interval in found.intervals.values() for end in interval]
    assert_array_equal(ends, [np.nan] * (10 if options else 0))


def test_queries_without_competitors_are_rank_1_of_1():
    true_edges = np.indices((3, 3)).reshape(2, 9)
    with pytest.warns(UserWarning, match="2 of the 2 rankings hold no candidate"):
        found = evaluate_edges(np.eye(3), [[0, 1], [1, 2]], true_edges, n_resamples=None)
    values = [found.mrr, found.mean_rank, found.amri, found.adjusted_mrr, found.separation.auroc]
    assert_allclose(values, [1, 1, np.nan, np.nan, np.nan])
    assert found.separation.average_precision == found.separation.prevalence == 1
    assert found.to_dict()["micro"]["amri"] is None


@pytest.fixture(scope="module")
def ranking():
    return evaluated(direction="both", n_resamples=200, seed=0, node_names=np.array(NAMES))


def test_frame_has_a_row_for_each_ranking(ranking):
    frame = ranking.to_frame()
    edges = rankings.proper_problem(0)[1]
    assert list(frame.columns) == [
        *("source", "target", "direction", "score", "candidates"),
        *("optimistic", "realistic", "pessimistic", "tie_reciprocal"),
    ]
    assert_array_equal(frame["direction"], np.repeat(["tail", "head"], 40))
    assert_array_equal(evaluated().to_frame()[["source", "target"]].to_numpy().T, edges)


def test_frame_without_pandas_says_what_to_install(ranking, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[frames\]'"):
        ranking.to_frame()


def test_dict_is_strict_json_and_holds_all_values(ranking):
    plain = json.loads(json.dumps(ranking.to_dict(), allow_nan=False))
    assert plain == ranking.to_dict()
    assert plain["micro"]["mrr"] == ranking.mrr
    assert plain["micro"]["hits"] == {str(k): value for k, value in ranking.hits.items()}
    assert plain["micro"]["intervals"]["mrr"] == list(ranking.intervals["mrr"])
    assert plain["macro"]["amri"] == ranking.macro.amri
    assert plain["separation"]["auroc"] == ranking.separation.auroc
    assert (plain["rankings"], plain["direction"]) == (80, "both")


def test_table_names_and_aligns_all_metrics(ranking):
    heading, columns, *lines = str(ranking).splitlines()
    assert heading.startswith("80 rankings, direction both, among ")
    assert columns.split() == ["value", "95%", "interval", "macro", "by", "chance"]
    names = ["mrr", "adjusted_mrr", "hits@1", "hits@3", "hits@10", "mean_rank", "median_rank"]
    assert [line.split()[0] for line in lines] == [*names, "amri", "auroc", "average_precision"]
    values = [float(line.split()[1]) for line in lines[:3]]
    assert_allclose(values, [ranking.mrr, ranking.adjusted_mrr, ranking.hits[1]], atol=5e-5)
    assert {line.index(".") for line in [lines[0], lines[-1]]} == {lines[0].index(".")}
    assert repr(ranking) == str(ranking)


A = np.arange(9.0).reshape(3, 3)
EDGE = [[0], [1]]
ABC = {"node_names": ["a1", "b1", "b2"]}


@pytest.mark.parametrize(
    ("arguments", "options", "error", "phrase"),
    [
        ((A[0], EDGE), {}, ValueError, "A must have 2 dimensions"),
        ((A.astype(int) + 2**53, EDGE), {}, ValueError, "A must hold whole numbers of at most"),
        ((A, EDGE), {"cluster": "node"}, ValueError, "cluster must be one of 'query', 'source'"),
        ((A, EDGE), {"ks": [0]}, ValueError, "ks must be at least 1; got 0"),
        ((A, EDGE), {"confidence": 0}, ValueError, "confidence must be above 0"),
        ((A, EDGE), {"seed": -1}, ValueError, "seed must be at least 0"),
        ((A, [[0, 1, 1], [1, 1, 2]]), {"exclude_self": True}, ValueError, "1 of its 3 edges are"),
        ((A, EDGE), {"candidates": "a -> b -> c", **ABC}, ValueError, "two patterns with an"),
        ((A, EDGE), {"candidates": " -> b", **ABC}, ValueError, "two patterns with an arrow"),
        ((A, EDGE), {"candidates": ["* -> *", "* -> X"], **ABC}, ValueError, "'X' of .* none"),
        ((A, EDGE), {"node_names": ["a", "b", 7]}, TypeError, "must be strings; got 7"),
        ((A, EDGE), {"node_names": ["a", "b", "a"]}, ValueError, "different; got 'a' more than"),
    ],
)
def test_bad_input_is_explained(arguments, options, error, phrase):
    with pytest.raises(error, match=phrase):
        evaluate_edges(*arguments, **{"n_resamples": None, **options})
