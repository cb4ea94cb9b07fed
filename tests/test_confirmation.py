"""Proposed edges beside random ones of the same degrees, by retraining."""

import numpy as np
import pytest
import scipy.stats

from gsnn_edges import EdgeEvidence
from gsnn_edges.baselines import confirm_edges

RNG = np.random.default_rng(0)
NODES = 30
PAIRS = [(i, j) for i in range(NODES) for j in range(NODES) if i != j]
ORDER = RNG.permutation(len(PAIRS))
KNOWN = np.array([PAIRS[k] for k in ORDER[:90]]).T
GOOD = np.array([PAIRS[k] for k in ORDER[90:100]]).T
WORTH = dict(zip(zip(*GOOD.tolist(), strict=True), np.arange(10, 0, -1) / 100, strict=True))
NAMES = [f"n{node}" for node in range(NODES)]


def scale(seed):
    """How large the losses of a seed are."""
    return np.random.default_rng(seed).uniform(1, 2)


def worth(edges):
    """By how much these edges lower the loss."""
    return sum(WORTH.get(pair, 0) for pair in zip(*edges.tolist(), strict=True))


def retrain(edges, seed):
    """A loss that each good edge lowers by its worth."""
    assert edges.dtype == np.int64
    return scale(seed) * (1 - worth(edges))


def confirmed(k=4, **options):
    options = {"retrain": retrain, "known_edges": KNOWN, "node_names": NAMES, **options}
    return confirm_edges(options.pop("candidates", GOOD), k, **options)


def test_random_edges_are_new_and_have_the_degrees_of_the_proposed_ones():
    found = confirmed(n_draws=3, removals=0)
    out, into = np.bincount(KNOWN[0], minlength=NODES), np.bincount(KNOWN[1], minlength=NODES)
    not_random = set(zip(*np.concatenate([KNOWN, GOOD[:, :4]], axis=1).tolist(), strict=True))
    for drawn in found.random_edges:
        pairs = set(zip(*drawn.tolist(), strict=True))
        assert len(pairs - not_random) == 4
        assert all(source != target for source, target in pairs)
        left = [pair for pair in PAIRS if pair not in not_random]
        for pair, (source, target) in zip(drawn.T.tolist(), found.edges.T, strict=True):
            off = {(i, j): abs(out[i] - out[source]) + abs(into[j] - into[target]) for i, j in left}
            assert off[tuple(pair)] == min(off.values())
            left.remove(tuple(pair))
    assert np.isnan(found.removal_costs).all()
    assert (confirmed(n_draws=3, removals=0, seed=1).random_edges != found.random_edges).any()


def test_losses_are_paired_by_seed():
    found = confirmed(k=3, n_draws=6, removals=2)
    scales = np.array([scale(seed) for seed in range(6)])
    gains = {"random": np.array([worth(drawn) for drawn in found.random_edges]), "without": 0.0}
    for other, gain in gains.items():
        mean, interval = found.difference(other)
        differences = scales * (gain - 0.27)
        assert mean == pytest.approx(differences.mean())
        wanted = scipy.stats.t.interval(0.95, 5, mean, scipy.stats.sem(differences))
        np.testing.assert_allclose(interval, wanted, atol=1e-9)
    np.testing.assert_allclose(found.removal_costs, scales[:2].mean() * np.array([10, 9, 8]) / 100)
    assert np.isnan(confirmed(n_draws=1).difference()[1].low)


def test_evidence_names_and_indices_propose_the_same_edges():
    W = np.zeros((NODES, NODES))
    W[tuple(GOOD)] = np.arange(10, 0, -1)
    W[tuple(KNOWN)], W[np.arange(NODES), np.arange(NODES)] = 20, 30
    evidence = EdgeEvidence(W, NAMES, known_edges=KNOWN)
    by_name = np.array(NAMES)[GOOD]
    wanted = confirmed(n_draws=2)
    for candidates in (evidence, by_name, by_name.tolist(), GOOD.tolist()):
        found = confirmed(candidates=candidates, n_draws=2)
        np.testing.assert_array_equal(found.edges, GOOD[:, :4])
        np.testing.assert_array_equal(found.random_edges, wanted.random_edges)
    alone = confirm_edges(evidence, 4, retrain=retrain, n_draws=2)
    assert alone.node_names == NAMES
    assert str(alone) == str(wanted)


def test_table_and_frame_list_the_costliest_removals_first():
    reverse = np.flip(GOOD[:, :3], axis=1)
    found = confirmed(k=3, candidates=reverse)
    frame = found.to_frame()
    assert frame["rank"].tolist() == [3, 2, 1]
    assert frame["source"].tolist() == [NAMES[node] for node in GOOD[0, :3]]
    np.testing.assert_allclose(frame["removal_cost"], scale(0) * np.array([10, 9, 8]) / 100)
    lines = str(found).splitlines()
    assert lines[0] == "3 proposed edges, 5 draws"
    assert f"{found.difference('without')[0]:.4f}" in lines[4]
    assert lines[6] == f"  {NAMES[GOOD[0, 0]]} -> {NAMES[GOOD[1, 0]]}: {0.1 * scale(0):+.4f}"


WRONG = {
    "k too large": ({"k": 11}, ValueError, "k must be at most .* proposed edges, 10; got 11"),
    "a name": ({"candidates": [["n1"], ["x"]]}, ValueError, "nodes of node_names; got x"),
    "a node": ({"candidates": [[1], [30]], "k": 1}, ValueError, "targets in 0 .. 29.*got 30"),
    "known": ({"candidates": KNOWN}, ValueError, "new edges between different nodes"),
    "repeated": ({"candidates": GOOD[:, [0, 0]], "k": 2}, ValueError, "or repeated ones"),
    "nothing known": ({"known_edges": None}, ValueError, "known_edges must be given"),
    "a pair": ({"retrain": lambda *_: (1.0, 2.0)}, TypeError, r"finite number.*got"),
    "nan": ({"retrain": lambda *_: float("nan")}, TypeError, "finite number.*got nan"),
    "no callable": ({"retrain": 1.0}, TypeError, "retrain must be a callable"),
    "removals": ({"removals": 9}, ValueError, "removals must be at most n_draws, 5; got 9"),
    "no pairs left": (
        {"candidates": [[0], [1]], "k": 1, "known_edges": [[1], [0]], "node_names": ["a", "b"]},
        ValueError, "k must leave as many pairs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_refused(name):
    options, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        confirmed(**options)
