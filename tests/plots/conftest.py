"""Figures that nobody sees, closed after each test."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from gsnn_edges import EdgeEvidence, evaluate_edges, split_edges

N = 14


@pytest.fixture(autouse=True)
def settings_and_figures():
    """Settings stay as they were, whatever is drawn; figures are closed."""
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture(scope="session")
def edges():
    """25 edges between 14 nodes: known ones above, held-out ones beside."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(~np.eye(N, dtype=bool)).T
    return split_edges(pairs[:, rng.choice(pairs.shape[1], 25, replace=False)], (0.6, 0.4), seed=0)


@pytest.fixture(scope="session")
def evidence(edges):
    """Scores without an equal one, and names."""
    W = np.random.default_rng(1).standard_normal((N, N))
    return EdgeEvidence(W, [f"node{k}" for k in range(N)], known_edges=edges[0])


@pytest.fixture(scope="session")
def ranking(evidence, edges):
    """Ranks of scores in steps, so that many are equal."""
    W = np.round(2 * evidence.W) / 2
    return evaluate_edges(W, edges[1], np.concatenate(edges, axis=1), ks=range(1, N + 1), seed=0)
