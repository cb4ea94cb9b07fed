"""What known edges, a penalty and empty groups do to the evidence of a network."""

import numpy as np
import pytest
from gsnn_models import TinyGSNN, data
from torch import nn

from gsnn_edges import FunctionEdgeInferer, capture

MSE = nn.MSELoss()
NODES = 12
NETWORK = TinyGSNN([list(range(NODES))] * 3).eval()
X, Y = data(rows=60)


def test_magnitudes_are_taken_where_they_beat_chance_by_two_standard_errors():
    rng = np.random.default_rng(0)
    taken = {"magnitude": [], "channels": []}
    for _ in range(60):
        known = [np.arange(NODES), (np.arange(NODES) + rng.integers(1, NODES, NODES)) % NODES]
        settings = FunctionEdgeInferer(NETWORK, MSE, known).infer(X, Y).settings
        choice = settings["choice"]
        if choice["magnitude"] > choice["channels"]:
            taken[settings["score"]].append(choice["z_score"])
        else:
            assert settings["score"] == "channels"
    assert 1.5 < max(taken["channels"]) <= 2 < min(taken["magnitude"])


def test_deviations_of_draws_are_penalised_as_their_mean_is():
    known = [[0, 0, 3, 5], [1, 4, 1, 0]]
    drawn = {"estimate": True, "estimate_iters": 3, "estimate_n_samples": 60, "seed": 1}
    inferer = FunctionEdgeInferer(NETWORK, MSE, known)
    plain, penalised = (
        inferer.infer(X, Y, score="magnitude", penalty_factor=factor, **drawn)
        for factor in (0.0, 0.3)
    )
    factors = np.ones((NODES, NODES))
    for source, target in zip(*known, strict=True):
        factors[source] *= 1.3
        factors[:, target] *= 0.7
    np.testing.assert_allclose(penalised.W, plain.W * factors, rtol=1e-5)
    np.testing.assert_allclose(penalised.std, plain.std * factors, rtol=1e-5)


def test_a_block_without_channels_is_refused():
    groups = [range(NODES), np.zeros(0, int), range(NODES)]
    blocks = [block.lin_in for block in NETWORK.ResBlocks]
    with pytest.raises(ValueError, match=r"groups.* must give a node index.*shape \(0,\)"):
        capture(NETWORK, MSE, X, Y, blocks=blocks, groups=groups)
