"""Held-out edges are ranked as a loop over all candidates ranks them."""

import numpy as np
import pytest
import sklearn.metrics
from numpy.testing import assert_array_equal

from gsnn_edges import compare, evaluate_edges, mrr, recover_edges, split_edges

from . import slow

NODES = 12
EDGES = np.array([[0, 0, 3, 5, 7, 7, 7, 11, 3], [1, 2, 4, 5, 0, 8, 9, 10, 4]])
KNOWN = np.array([[0, 1, 3, 7, 9], [3, 2, 6, 1, 0]])
TRUTHS = np.concatenate([EDGES, KNOWN], axis=1)
NAMES = [f"{'GENE' if k < 6 else 'RNA'}_{k}" for k in range(NODES)]
pytestmark = pytest.mark.filterwarnings("ignore:.*self-edges:UserWarning")


@pytest.fixture(scope="module")
def scores():
    """Scores with many ties, of which two differ by their sign alone."""
    found = np.random.default_rng(0).integers(-3, 4, (NODES, NODES)).astype(np.float32)
    found[7, 0], found[7, 2] = 0.0, -0.0
    return found


def test_mrr(eager, scores):
    found = mrr(eager.array(scores), EDGES, TRUTHS)
    assert isinstance(found, float)
    assert found == pytest.approx(slow.reciprocal_rank(scores, EDGES, TRUTHS), rel=1e-12)
    assert mrr(scores, EDGES, TRUTHS, query_chunk_size=2) == pytest.approx(found, rel=1e-12)


def test_mrr_of_edges_of_any_kind(scores):
    expected = slow.reciprocal_rank(scores, EDGES, TRUTHS)
    for edges, truths in ((EDGES.tolist(), TRUTHS.tolist()), (EDGES.astype(np.uint8), TRUTHS)):
        assert mrr(scores, edges, truths) == pytest.approx(expected, rel=1e-12)


def checked(found, counts, ks):
    """Compare all rank metrics."""
    for name, value in slow.metrics(counts, ks).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("direction", ["tail", "head", "both"])
def test_all_metrics(few, scores, direction):
    found = evaluate_edges(
        few.array(scores), EDGES, TRUTHS, direction=direction, ks=[2, 5], n_resamples=None
    )
    counts = []
    for head in {"tail": [False], "head": [True], "both": [False, True]}[direction]:
        counts += slow.rivals(scores, EDGES, TRUTHS, head=head)
    checked(found, counts, [2, 5])
    assert found.mrr == mrr(scores, EDGES, TRUTHS) or direction != "tail"
    true = np.zeros((NODES, NODES), bool)
    true[tuple(TRUTHS)] = True
    truth = np.concatenate([np.ones(EDGES.shape[1]), np.zeros((~true).sum())])
    values = np.concatenate([scores[tuple(EDGES)], scores[~true]])
    separation = found.separation
    assert separation.auroc == pytest.approx(sklearn.metrics.roc_auc_score(truth, values))
    assert separation.average_precision == pytest.approx(
        sklearn.metrics.average_precision_score(truth, values)
    )
    assert separation.prevalence == pytest.approx(truth.mean())


def allowed(rule):
    """The pairs of a rule, by loops."""
    prefix = tuple(part.strip().rstrip("*") for part in rule.split("->"))
    return np.array(
        [[s.startswith(prefix[0]) and t.startswith(prefix[1]) for t in NAMES] for s in NAMES]
    )


@pytest.mark.parametrize("exclude_self", [True, False])
def test_candidates(scores, exclude_self):
    edges = np.array([[7, 7, 9], [0, 5, 3]])
    pairs = allowed("RNA* -> GENE*") | allowed("RNA_7 -> *")
    if exclude_self:
        np.fill_diagonal(pairs, False)
    truths = np.concatenate([TRUTHS, edges], axis=1)
    for candidates in (["RNA* -> GENE*", "RNA_7 -> *"], pairs):
        found = evaluate_edges(
            scores,
            edges,
            truths,
            candidates=candidates,
            exclude_self=exclude_self,
            node_names=NAMES,
            n_resamples=None,
        )
        checked(found, slow.rivals(scores, edges, truths, allowed=pairs), [1, 3])


def test_nodes_may_weigh_alike(scores):
    found = evaluate_edges(scores, EDGES, TRUTHS, n_resamples=None)
    counts = slow.rivals(scores, EDGES, TRUTHS)
    by_source = [
        np.mean(
            [
                1 / (1 + above + level / 2)
                for (above, level, _), s in zip(counts, EDGES[0], strict=True)
                if s == source
            ]
        )
        for source in np.unique(EDGES[0])
    ]
    assert found.macro.mrr == pytest.approx(np.mean(by_source), rel=1e-12)


def test_intervals_follow_the_seed_and_the_queries():
    rng = np.random.default_rng(0)
    scores = rng.random((60, 60))
    edges = np.unique(rng.integers(0, 60, (2, 80)), axis=1)
    ranks = [1 + above for above, _, _ in slow.rivals(scores, edges, edges)]
    found = evaluate_edges(scores, edges, seed=1, direction="tail")
    again = evaluate_edges(scores, edges, seed=1, direction="tail")
    assert found.to_dict() == again.to_dict()
    assert found.intervals != evaluate_edges(scores, edges, seed=2).intervals
    # The plain bootstrap of a mean, drawn here anew.
    draws = rng.choice(1 / np.array(ranks), (4000, len(ranks))).mean(axis=1)
    assert found.intervals["mrr"] == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=0.015)
    narrow = evaluate_edges(scores, edges, seed=1, confidence=0.5).intervals["mrr"]
    low, high = found.intervals["mrr"]
    assert low < narrow.low < found.mrr < narrow.high < high
    by_node = evaluate_edges(scores, edges, seed=1, cluster="source")
    assert by_node.mrr == found.mrr
    assert by_node.intervals["mrr"] != found.intervals["mrr"]


def test_what_it_gives_can_be_read(scores):
    found = evaluate_edges(scores, EDGES, TRUTHS, node_names=NAMES, seed=0)
    frame = found.to_frame()
    counts = slow.rivals(scores, EDGES, TRUTHS)
    assert frame["source"].tolist() == [NAMES[k] for k in EDGES[0]]
    assert frame["realistic"].tolist() == [1 + above + level / 2 for above, level, _ in counts]
    assert frame["optimistic"].tolist() == [1 + above for above, _, _ in counts]
    assert frame["pessimistic"].tolist() == [1 + above + level for above, level, _ in counts]
    assert frame["candidates"].tolist() == [1 + others for _, _, others in counts]
    assert frame["score"].tolist() == scores[tuple(EDGES)].tolist()
    text = str(found)
    assert "mrr" in text
    assert f"{found.mrr:.4f}" in text
    plain = found.to_dict()
    assert plain["micro"]["mrr"] == found.mrr
    assert plain["rankings"] == EDGES.shape[1]


@pytest.mark.parametrize("keep_connected", [False, True])
def test_split_edges(keep_connected):
    rng = np.random.default_rng(0)
    circle = np.stack([np.arange(30), (np.arange(30) + 1) % 30])
    edges = np.unique(np.c_[circle, rng.integers(0, 30, (2, 60))], axis=1)
    edges = np.c_[edges, edges[:, :5]]  # repeated
    parts = split_edges(edges, (0.6, 0.3, 0.1), seed=1, keep_connected=keep_connected)
    pairs = [set(map(tuple, part.T.tolist())) for part in parts]
    count = len(set(map(tuple, edges.T.tolist())))
    assert sum(map(len, pairs)) == count
    assert set.union(*pairs) == set(map(tuple, edges.T.tolist()))
    for part, share in zip(pairs, (0.6, 0.3, 0.1), strict=True):
        assert abs(len(part) - share * count) < 1
    if keep_connected:
        joined = {k: {k} for k in range(30)}
        for source, target in pairs[0]:
            both = joined[source] | joined[target]
            joined.update(dict.fromkeys(both, both))
        assert joined[0] == set(range(30))
    again = split_edges(edges, (0.6, 0.3, 0.1), seed=1, keep_connected=keep_connected)
    assert all(np.array_equal(*both) for both in zip(parts, again, strict=True))
    other = split_edges(edges, (0.6, 0.3, 0.1), seed=2, keep_connected=keep_connected)
    assert not np.array_equal(parts[0], other[0])


def test_split_edges_by_label():
    edges = np.stack([np.arange(40), np.arange(40) + 1])
    labels = np.array(["a"] * 30 + ["b"] * 10)
    first, second = split_edges(edges, (0.7, 0.3), seed=0, stratify=labels)
    assert (first[0] < 30).sum() == 21
    assert (second[0] >= 30).sum() == 3


def test_recover_edges():
    rng = np.random.default_rng(0)
    whole = rng.random((NODES, NODES))
    masks = []

    def infer(keep):
        masks.append(keep)
        found = whole.copy()
        found[tuple(TRUTHS[:, keep])] += 0.5
        return found

    found = recover_edges(infer, TRUTHS, fraction=0.3, repeats=3, seed=0)
    assert len(masks) == 4
    assert masks[0].all()
    between = TRUTHS[0] != TRUTHS[1]
    different = len(set(map(tuple, TRUTHS[:, between].T.tolist())))
    for keep, edges, hidden, shown in zip(
        masks[1:], found.edges, found.hidden, found.shown, strict=True
    ):
        assert_array_equal(edges, TRUTHS[:, ~keep])
        assert (edges[0] != edges[1]).all()
        assert len(set(map(tuple, edges.T.tolist()))) == round(0.3 * different)
        without, with_all = (infer(mask) for mask in (keep, masks[0]))
        assert hidden == pytest.approx(slow.reciprocal_rank(without, edges, TRUTHS))
        assert shown == pytest.approx(slow.reciprocal_rank(with_all, edges, TRUTHS))


def graph_scores():
    """Baselines of the known graph, by their definitions; None where there is no score."""
    there = np.zeros((NODES, NODES))
    there[tuple(KNOWN)] = 1
    into, out = there.sum(axis=0), there.sum(axis=1)
    near = [set(np.flatnonzero(there[k] + there[:, k])) for k in range(NODES)]
    found = {
        "in_degree": lambda i, j: into[j],
        "out_degree": lambda i, j: out[i],
        "preferential_attachment": lambda i, j: out[i] * into[j],
        "common_neighbours": lambda i, j: None if i == j else len(near[i] & near[j]),
        "adamic_adar": lambda i, j: (
            None if i == j else sum(1 / np.log(len(near[k])) for k in near[i] & near[j])
        ),
        "two_step_paths": lambda i, j: (
            None if i == j else sum(there[i, k] * there[k, j] for k in range(NODES))
        ),
    }
    for name, score in found.items():
        table = [[score(i, j) for j in range(NODES)] for i in range(NODES)]
        yield name, np.array([[-1.0 if cell is None else cell for cell in row] for row in table])


def test_compare(scores):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((50, NODES))
    values, inputs = a[:, :4] + rng.standard_normal((50, 4)), a[:, 4:6]
    before = [rng.random((NODES, NODES)) for _ in range(3)]
    found = compare(
        {"W": scores, "other": before[0]},
        EDGES,
        TRUTHS,
        known_edges=KNOWN,
        observations=a,
        measured=(values, [0, 1, 2, 4]),
        perturbations=(inputs, [0, 7]),
        untrained={"W": before},
        node_names=NAMES,
        seed=0,
    )
    expected = dict(graph_scores())
    expected["W"] = scores
    plain = abs(slow.correlation(a, a))
    np.fill_diagonal(plain, -1)
    expected["activation_correlation"] = plain
    for name, nodes, left in (
        ("plain_correlation", [0, 1, 2, 4], values),
        ("perturbation_correlation", [0, 7], inputs),
    ):
        expected[name] = np.full((NODES, NODES), -1.0)
        expected[name][np.ix_(nodes, [0, 1, 2, 4])] = abs(slow.correlation(left, values))
        np.fill_diagonal(expected[name], -1)
    for name, matrix in expected.items():
        checked(found[name].ranking, slow.rivals(matrix, EDGES, TRUTHS), [1, 3, 10])
    kinds = {row.name: row.kind for row in found.rows}
    assert kinds["W"] == kinds["other"] == "given"
    assert kinds["random"] == kinds["in_degree"] == kinds["ridge"] == "baseline"
    assert found["plain_correlation"].coverage == pytest.approx(
        np.mean([s in (0, 1, 2, 4) and t in (0, 1, 2, 4) and s != t for s, t in EDGES.T])
    )
    difference = found["W"].mrr_difference
    untrained = np.mean([slow.reciprocal_rank(x, EDGES, TRUTHS) for x in before])
    assert difference.value == pytest.approx(found["W"].ranking.mrr - untrained)
    assert difference.interval.low < difference.value < difference.interval.high
    assert found["other"].mrr_difference is None
    assert found.difference("W", "in_degree").value == pytest.approx(
        found["W"].ranking.mrr - found["in_degree"].ranking.mrr
    )
    frame = found.to_frame()
    assert {"name", "kind", "mrr", "mrr_difference"} <= set(frame.columns)
    assert "adamic_adar" in str(found)
