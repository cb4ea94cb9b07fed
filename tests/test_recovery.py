"""Hidden edges are scored as a slow loop does it, and the mask reaches the model."""

import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import mrr
from gsnn_edges.splits import recover_edges

EDGES = np.array([[0, 1, 2, 3, 4, 0, 5, 2, 2], [1, 2, 3, 4, 5, 1, 0, 2, 5]])  # 0 -> 1 twice


class Recorder:
    """Scores that depend on the mask: a hidden edge loses half of its score."""

    def __init__(self, seed=0):
        self.scores = np.random.default_rng(seed).random((6, 6)).astype(np.float32)
        self.masks = []

    def __call__(self, keep):
        self.masks.append(keep.copy())
        scores = self.scores.copy()
        scores[tuple(EDGES[:, ~keep])] /= 2
        keep[:] = False
        return scores


def pairs(edges):
    return set(map(tuple, edges.T.tolist()))


def test_scores_equal_a_slow_loop():
    infer = Recorder()
    found = recover_edges(infer, EDGES, fraction=0.4, repeats=6, seed=1)
    first, *rest = infer.masks
    assert_array_equal(first, True)
    assert found.hidden.shape == found.shown.shape == (6,)
    for keep, edges, hidden, shown in zip(
        rest, found.edges, found.hidden, found.shown, strict=True
    ):
        assert_array_equal(edges, EDGES[:, ~keep])
        without = Recorder()(keep.copy())
        assert_allclose(hidden, oracles.reciprocal_ranks(without, edges, EDGES).mean(), rtol=1e-12)
        shown_by_loop = oracles.reciprocal_ranks(infer.scores, edges, EDGES).mean()
        assert_allclose(shown, shown_by_loop, rtol=1e-12)


def test_draws_are_of_the_size_asked_for():
    # Seven different edges between different nodes; 0.4 of them are 2.8.
    found = recover_edges(Recorder(), EDGES, fraction=0.4, repeats=50, seed=0)
    assert [len(pairs(edges)) for edges in found.edges] == [3] * 50
    assert set().union(*map(pairs, found.edges)) == pairs(EDGES) - {(2, 2)}
    twice = [(edges.T == [0, 1]).all(1).sum() for edges in found.edges]
    assert set(twice) == {0, 2}


def test_seed_decides():
    runs = [recover_edges(Recorder(), EDGES, fraction=0.4, seed=seed) for seed in (0, 0, 1)]
    same = [np.array_equal(a, b) for a, b in zip(runs[0].edges, runs[1].edges, strict=True)]
    other = [np.array_equal(a, b) for a, b in zip(runs[0].edges, runs[2].edges, strict=True)]
    assert (all(same), all(other), len(same)) == (True, False, 5)


def test_hidden_edges_of_a_gsnn_by_hand():
    torch = pytest.importorskip("torch")
    from gsnn_edges import FunctionEdgeInferer
    from gsnn_edges.demo import GSNN, train, tutorial

    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=4, seed=0)
    train(model, *map(torch.from_numpy, (problem.x_train, problem.y_train)), epochs=2)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)

    def infer(keep):
        # As many rows as edges: the mask is (1, E), so that it is not cut along with x.
        rows = len(keep)
        mask = torch.from_numpy(keep)[None]
        x, y = problem.x_test[:rows], problem.y_test[:rows]
        return inferer.fit(x, y, batch_size=10, forward_kwargs={"edge_mask": mask})

    found = recover_edges(infer, problem.known_edges, fraction=0.2, repeats=2, seed=0)
    edges = problem.known_edges
    keep = np.ones(edges.shape[1], bool)
    assert_array_equal(found.shown, [mrr(infer(keep), hidden, edges) for hidden in found.edges])
    keep = np.array([tuple(pair) not in pairs(found.edges[1]) for pair in edges.T.tolist()])
    assert found.hidden[1] == mrr(infer(keep), found.edges[1], edges)
    assert np.abs(infer(keep) - infer(np.ones_like(keep))).max() > 0.1


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"fraction": 0.0}, ValueError, "0.0 of 7 edges between different nodes hides 0"),
        ({"fraction": 0.05}, ValueError, "fraction must hide at least one edge"),
        ({"fraction": 0.99}, ValueError, "hides 7: take another fraction"),
        ({"fraction": 1.0}, ValueError, r"fraction must lie in \[0, 1\)"),
        ({"fraction": "half"}, TypeError, "fraction must be a number"),
        ({"repeats": 0}, ValueError, "repeats must be at least 1"),
        ({"seed": None}, TypeError, "seed must be a whole number"),
        ({"edge_index": EDGES.T}, ValueError, r"edge_index must have shape \(2, E\)"),
        ({"infer": np.eye(6)}, TypeError, r"infer must be a callable, infer\(keep\) -> W; got nd"),
        ({"infer": lambda keep: np.full((6, 6), np.nan)}, ValueError, "A must be finite"),
    ],
)
def test_bad_input_is_explained(options, error, phrase):
    options = {"infer": Recorder(), "edge_index": EDGES, "fraction": 0.4, "seed": 0, **options}
    with pytest.raises(error, match=phrase):
        recover_edges(**options)
