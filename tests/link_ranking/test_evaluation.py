"""evaluate_edges equals mrr to the bit, a slow loop, PyKEEN and scikit-learn; bad input is told."""

import tracemalloc

import numpy as np
import pytest
import rankings
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from rankings import pykeen_metrics as pykeen
from sklearn.metrics import average_precision_score, roc_auc_score

from gsnn_edges import evaluate_edges, mrr

STRANGE = pytest.mark.filterwarnings("ignore:.* edges in edge_index are")
AXES = {"tail": [0], "head": [1], "both": [0, 1]}
NAMES = [f"{kind}__{number}" for kind in ("PROTEIN", "RNA") for number in range(10)]


@STRANGE
@pytest.mark.parametrize("levels", [1, 12, 10**6])
def test_mrr_is_a_special_case_to_the_bit(library, levels):
    if library.jit:
        pytest.skip("ranking is eager only")
    scores, edges, true_edges = rankings.problem(levels, levels=levels)
    scores = library.array(scores)
    found = evaluate_edges(scores, edges, true_edges, n_resamples=None)
    assert_array_equal(found.mrr, mrr(scores, edges, true_edges))


@pytest.mark.parametrize("direction", AXES)
@pytest.mark.parametrize("pool", ["all", "mask", "no self", "rule"])
def test_equals_a_loop_and_pykeen(direction, pool):
    scores, edges, true_edges = rankings.proper_problem(3)
    allowed = np.ones(scores.shape, bool)
    options = {}
    if pool == "mask":
        allowed = np.random.default_rng(0).random(scores.shape) < 0.7
        allowed[edges[0], edges[1]] = True
        options = {"candidates": allowed}
    elif pool == "no self":
        np.fill_diagonal(allowed, False)
        options = {"exclude_self": True}
    elif pool == "rule":
        allowed[:] = False
        allowed[:10, 10:] = True
        edges = edges[:, allowed[edges[0], edges[1]]]
        options = {"candidates": "PROTEIN__* -> RNA__*", "node_names": NAMES}
    found = evaluate_edges(
        scores, edges, true_edges, direction=direction, ks=(1, 3), n_resamples=None, **options
    )
    parts = [rankings.counts(scores, edges, true_edges, axis, allowed) for axis in AXES[direction]]
    above, level, candidates = np.concatenate(parts, axis=1)
    ranks = 1 + above + level / 2
    assert_array_equal(found.queries.candidates, candidates)
    assert_array_equal(found.queries.ranks.realistic, ranks)
    ours = [found.mrr, found.mean_rank, found.median_rank, found.hits[3], found.amri]
    kinds = (
        pykeen.InverseHarmonicMeanRank(),
        pykeen.ArithmeticMeanRank(),
        pykeen.MedianRank(),
        pykeen.HitsAtK(3),
        pykeen.AdjustedArithmeticMeanRankIndex(),
    )
    assert_allclose(ours, [metric(ranks, candidates) for metric in kinds], rtol=1e-12)
    negative = allowed.copy()
    negative[true_edges[0], true_edges[1]] = False
    values = np.concatenate([scores[edges[0], edges[1]], scores[negative]])
    truth = np.arange(len(values)) < edges.shape[1]
    assert_allclose(
        [found.separation.auroc, found.separation.average_precision],
        [roc_auc_score(truth, values), average_precision_score(truth, values)],
        rtol=1e-12,
    )


@pytest.mark.parametrize("direction", AXES)
def test_macro_is_the_mean_of_node_means(direction):
    scores, edges, true_edges = rankings.proper_problem(4)
    found = evaluate_edges(scores, edges, true_edges, direction=direction, n_resamples=None)
    frame = found.to_frame()
    anchor = np.where(frame["direction"] == "head", frame["target"], frame["source"])
    nodes = frame.assign(anchor=anchor, hit=frame["realistic"] <= 3, rr=1 / frame["realistic"])
    nodes = nodes.groupby(["direction", "anchor"])[["rr", "realistic", "hit"]].mean().mean()
    ours = [found.macro.mrr, found.macro.mean_rank, found.macro.hits[3]]
    assert_allclose(ours, nodes.to_numpy(float), rtol=1e-12)


def test_true_edges_are_the_queries_where_none_are_given():
    scores, edges, _ = rankings.proper_problem(5)
    default = evaluate_edges(scores, edges, n_resamples=None)
    assert default.to_dict() == evaluate_edges(scores, edges, edges, n_resamples=None).to_dict()
    assert_array_equal(default.mrr, mrr(scores, edges, edges))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(3, 12), st.integers(1, 20), st.integers(1, 30))
def test_laws_of_any_graph(seed, nodes, queries, levels):
    queries = min(queries, nodes * (nodes - 1) // 3)
    scores, edges, true_edges = rankings.proper_problem(seed, nodes, queries, levels)
    plain = evaluate_edges(scores, edges, true_edges, direction="both", ks=[1], n_resamples=None)
    assert 0 < plain.mrr <= 1
    every = evaluate_edges(
        scores,
        edges,
        true_edges,
        direction="both",
        ks=[1],
        n_resamples=None,
        candidates=np.ones((nodes, nodes), bool),
    )
    assert every.to_dict() == plain.to_dict()
    order = np.random.default_rng(seed).permutation(nodes)
    moved = evaluate_edges(
        scores[np.ix_(order, order)],
        np.argsort(order)[edges],
        np.argsort(order)[true_edges],
        direction="both",
        ks=[1],
        n_resamples=None,
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


def test_random_scores_reach_what_is_expected_by_chance():
    rng = np.random.default_rng(0)
    _, edges, true_edges = rankings.proper_problem(0)
    options = {"direction": "both", "exclude_self": True, "n_resamples": None, "ks": [1, 5]}
    runs = [evaluate_edges(rng.random((20, 20)), edges, true_edges, **options) for _ in range(400)]
    pairs = {
        "mrr": ([run.mrr for run in runs], runs[0].expected_mrr),
        "mean_rank": ([run.mean_rank for run in runs], runs[0].expected_mean_rank),
        "hits@5": ([run.hits[5] for run in runs], runs[0].expected_hits[5]),
        "amri": ([run.amri for run in runs], 0),
        "adjusted_mrr": ([run.adjusted_mrr for run in runs], 0),
        "macro mrr": ([run.macro.mrr for run in runs], runs[0].macro.expected_mrr),
        "auroc": ([run.separation.auroc for run in runs], 0.5),
    }
    for name, (values, expected) in pairs.items():
        # Four standard errors of the simulation.
        bound = 4 * np.std(values) / np.sqrt(len(values))
        assert_allclose(np.mean(values), expected, rtol=0, atol=bound, err_msg=name)


@pytest.mark.parametrize("direction", AXES)
@pytest.mark.parametrize("cluster", ["query", "source"])
def test_intervals_hold_the_estimate_and_are_repeatable(direction, cluster):
    scores, edges, true_edges = rankings.proper_problem(6)
    options = {"direction": direction, "cluster": cluster, "n_resamples": 200}
    found = evaluate_edges(scores, edges, true_edges, seed=1, **options)
    again = evaluate_edges(scores, edges, true_edges, seed=1, **options)
    assert found.intervals == again.intervals
    assert set(found.intervals) == {"mrr", "adjusted_mrr", "mean_rank", "amri", *HITS}
    assert found.intervals["mrr"].low < found.mrr < found.intervals["mrr"].high
    nested = cluster == "source" and direction != "both"
    assert set(found.macro.intervals) == (set(found.intervals) if nested else set())


HITS = ("hits@1", "hits@3", "hits@10")


def test_both_ranks_of_an_edge_are_drawn_together():
    # Rows and columns of a pair of nodes are all the same: the head rank repeats the tail rank.
    half = np.random.default_rng(0).random((15, 15))
    scores = np.kron(half + half.T, np.ones((2, 2)))
    edges = np.stack([np.arange(0, 30, 2), np.arange(1, 30, 2)])
    options = {"n_resamples": 200, "seed": 0, "ks": [1, 10]}
    tail = evaluate_edges(scores, edges, **options).intervals
    both = evaluate_edges(scores, edges, direction="both", **options).intervals
    assert list(tail) == list(both)
    assert_allclose(list(both.values()), list(tail.values()), rtol=1e-12)


def test_default_depths_stop_at_the_largest_ranking():
    scores, edges, true_edges = rankings.proper_problem(0)
    found = evaluate_edges(scores, edges, true_edges, n_resamples=None)
    assert list(found.hits) == [1, 3, 10]
    assert list(evaluate_edges(scores, edges, ks=(5, 2, 5), n_resamples=None).hits) == [2, 5]
    assert evaluate_edges(scores, edges, ks=(), n_resamples=None).hits == {}


def test_scores_that_carry_gradients_and_masks_of_torch():
    torch = pytest.importorskip("torch")
    scores, edges, true_edges = rankings.proper_problem(0)
    allowed = np.random.default_rng(0).random(scores.shape) < 0.7
    allowed[edges[0], edges[1]] = True
    expected = evaluate_edges(scores, edges, true_edges, candidates=allowed, n_resamples=None)
    tensors = [torch.from_numpy(x) for x in (scores, edges, true_edges, allowed)]
    tensors[0].requires_grad_()
    found = evaluate_edges(*tensors[:3], candidates=tensors[3], n_resamples=None)
    assert found.to_dict() == expected.to_dict()


def test_pool_metrics_can_be_left_out():
    scores, edges, true_edges = rankings.proper_problem(0)
    found = evaluate_edges(scores, edges, true_edges, n_resamples=None, pool_metrics=False)
    assert found.separation is None
    assert found.to_dict()["separation"] is None


@pytest.mark.parametrize(
    ("edges", "true_edges", "options", "phrase"),
    [
        ([[0, 1], [0, 2]], [[0, 1], [0, 2]], {}, "1 of the 2 edges in edge_index are self-edges"),
        ([[0, 1], [1, 2]], [[0], [1]], {}, "1 of the 2 edges .* missing from all_true_edges"),
        ([[0, 1], [1, 2]], [[0, 0, 0, 1], [0, 1, 2, 2]], {}, "1 of the 2 rankings hold no cand"),
        ([[0], [1]], None, {"n_resamples": 100}, "one query or cluster has no spread"),
        ([[0, 0], [1, 2]], None, {"n_resamples": 100, "cluster": "source"}, "one query or cluster"),
    ],
)
def test_strange_queries_are_counted_in_warnings(edges, true_edges, options, phrase):
    with pytest.warns(UserWarning, match=f"evaluate_edges: {phrase}") as found:
        evaluate_edges(np.eye(3), edges, true_edges, ks=[1], **{"n_resamples": None, **options})
    assert [warning.filename for warning in found] == [__file__]


def test_queries_without_competitors_are_rank_1_of_1():
    true_edges = np.indices((3, 3)).reshape(2, 9)
    with pytest.warns(UserWarning, match="2 of the 2 rankings hold no candidate"):
        found = evaluate_edges(np.eye(3), [[0, 1], [1, 2]], true_edges, n_resamples=None)
    values = [found.mrr, found.mean_rank, found.amri, found.adjusted_mrr, found.separation.auroc]
    assert_allclose(values, [1, 1, np.nan, np.nan, np.nan])
    assert found.to_dict()["micro"]["amri"] is None


def test_memory_follows_the_chunk_not_the_matrix():
    nodes = 2000
    scores = np.random.default_rng(0).standard_normal((nodes, nodes), np.float32)
    edges = np.random.default_rng(1).integers(0, nodes // 2, (2, 4000))
    edges[1] += nodes // 2
    options = {
        "direction": "both",
        "exclude_self": True,
        "n_resamples": None,
        "query_chunk_size": 20,
    }
    evaluate_edges(scores, edges, **options)
    tracemalloc.start()
    evaluate_edges(scores, edges, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Less than one mask of the matrix, at a byte for each pair.
    assert peak < nodes * nodes


A = np.arange(9.0).reshape(3, 3)
EDGE = [[0], [1]]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "phrase"),
    [
        ((A.tolist(), EDGE), {}, TypeError, "A must be an array"),
        ((A[:2], EDGE), {}, ValueError, r"A must be square, .*; got \(2, 3\)"),
        ((A[0], EDGE), {}, ValueError, "A must have 2 dimensions"),
        ((np.where(A == 4, np.nan, A), EDGE), {}, ValueError, "A must be finite; got 1 NaN"),
        ((A, [[], []]), {}, ValueError, "edge_index must hold at least one edge; got none"),
        ((A, [[0], [3]]), {}, ValueError, "edge_index must hold targets in 0 .. 2"),
        ((A, EDGE, [[0], [7]]), {}, ValueError, "all_true_edges must hold targets in 0 .. 2"),
        ((A, EDGE), {"direction": "tails"}, ValueError, "direction must be one of 'tail', 'head'"),
        ((A, EDGE), {"cluster": "node"}, ValueError, "cluster must be one of 'query', 'source'"),
        ((A, EDGE), {"ks": [4]}, ValueError, "ks must not exceed 3, the most candidates"),
        ((A, EDGE), {"ks": [0]}, ValueError, "ks must be at least 1; got 0"),
        ((A, EDGE), {"ks": [1.5]}, TypeError, "ks must be a whole number; got 1.5"),
        ((A, EDGE), {"ks": 10}, TypeError, "ks must be a list of whole numbers; got 10"),
        ((A, EDGE), {"ks": "10"}, TypeError, "ks must be a list of whole numbers; got '10'"),
        ((A, EDGE), {"confidence": 1}, ValueError, "confidence must lie in"),
        ((A, EDGE), {"confidence": 0}, ValueError, "confidence must be above 0"),
        ((A, EDGE), {"confidence": 95}, ValueError, "confidence must lie in"),
        (
            (A, EDGE),
            {"n_resamples": 10},
            ValueError,
            "n_resamples must be at least 100; got 10; None skips",
        ),
        ((A, EDGE), {"query_chunk_size": 0}, ValueError, "query_chunk_size must be at least 1"),
        ((A, EDGE), {"candidates": A}, TypeError, "candidates must be a mask of bools"),
        ((A, EDGE), {"candidates": A > 9}, ValueError, "1 of its 1 edges are not, in columns 0"),
        (
            (A, [[0, 1, 1], [1, 1, 2]]),
            {"exclude_self": True},
            ValueError,
            "edge_index must hold candidates; 1 of its 3 edges are not, in columns 1: drop them",
        ),
        ((A, EDGE), {"candidates": "a -> b"}, ValueError, "give node_names"),
        ((A, EDGE), {"node_names": ["a"]}, ValueError, "name each of the 3 nodes of A"),
    ],
)
def test_bad_input_is_explained(arguments, options, error, phrase):
    with pytest.raises(error, match=phrase):
        evaluate_edges(*arguments, **{"n_resamples": None, **options})
