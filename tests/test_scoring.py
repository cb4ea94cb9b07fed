"""Which score, over which layer pairs: each equals an obvious loop."""

import numpy as np
import pytest
import torch
from oracles import correlation

from gsnn_edges.scoring import Scorer, backend_of, mean, to_host

SAMPLES, PAIRS, NODES = 60, 3, 5
COLUMNS = torch.tensor([0, 0, 1, 2, 3, 3, 4])
BACKENDS = ["torch", "numpy", "jax"]


def scorer(score="magnitude", layers="pooled", backend="numpy", ties="average", n_components=None):
    return Scorer(
        score=score,
        layers=layers,
        n_components=n_components,
        method="spearman",
        ties=ties,
        row_chunk=None,
        pairs=PAIRS,
        nodes=NODES,
        columns=COLUMNS,
        where=backend_of(backend, None, "cpu", "float32"),
    )


def observations(columns=NODES, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(
        torch.from_numpy(rng.standard_normal((PAIRS * SAMPLES, columns)).astype(np.float32))
        for _ in range(2)
    )


def norms(a, g):
    """Norms of blocks, pair by pair of nodes."""
    R, own = correlation(a, g), COLUMNS.numpy()
    pairs = np.ndindex(NODES, NODES)
    found = [np.linalg.norm(R[np.ix_(own == i, own == j)]) for i, j in pairs]
    return np.reshape(found, (NODES, NODES))


STRETCHES = {
    "pooled": [slice(None)],
    "mean": [slice(k * SAMPLES, (k + 1) * SAMPLES) for k in range(PAIRS)],
    "last": [slice(-SAMPLES, None)],
    0: [slice(0, SAMPLES)],
    2: [slice(-SAMPLES, None)],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layers", STRETCHES)
@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_every_score_and_choice_of_layers_equals_a_loop(score, layers, backend):
    a, g = observations(NODES if score == "magnitude" else len(COLUMNS))
    slow = correlation if score == "magnitude" else norms
    expected = np.mean([slow(a[rows], g[rows]) for rows in STRETCHES[layers]], axis=0)
    W = to_host(scorer(score, layers, backend).matrix(a, g))
    np.testing.assert_allclose(W, expected, rtol=0, atol=2e-6)
    assert W.flags.writeable


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layers", STRETCHES)
def test_draws_are_those_of_the_repeated_rows(layers, backend):
    a, g = observations()
    rng = np.random.default_rng(1)
    counts = np.stack([np.bincount(rng.integers(0, SAMPLES, 50), minlength=SAMPLES)] * 2)
    pick = np.repeat(np.arange(SAMPLES), counts[0])
    parts = [(a[rows], g[rows]) for rows in STRETCHES[layers]]
    expected = []
    for x, z in parts:
        rows = np.concatenate([pick + k * SAMPLES for k in range(len(x) // SAMPLES)])
        expected.append(correlation(x[rows], z[rows]))
    found = list(scorer("magnitude", layers, backend).draws(a, g, counts))
    assert len(found) == 2
    for W in found:
        np.testing.assert_allclose(W, np.mean(expected, axis=0), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("score", "ties", "expected"),
    [
        ("magnitude", "average", True),
        ("magnitude", "ordinal", False),
        ("channels", "average", False),
    ],
)
def test_counting_serves_average_ranks_of_magnitudes(score, ties, expected):
    assert scorer(score, ties=ties).can_count == expected


def test_torch_correlates_where_the_model_lies():
    assert backend_of("torch", None, "cuda:1", "float32")["device"] == "cuda:1"
    assert backend_of("torch", "cpu", "cuda:1", "float32")["device"] == "cpu"
    assert backend_of("jax", None, "cuda:1", "float32")["device"] is None


def test_the_mean_and_the_host_copy_are_what_they_say():
    matrices = [np.full((2, 2), float(k)) for k in range(4)]
    np.testing.assert_array_equal(mean(iter(matrices)), np.full((2, 2), 1.5))
    np.testing.assert_array_equal(to_host(torch.ones(2, 3)), np.ones((2, 3)))
