"""Networks that see measurements, and residuals of measured nodes as channels of their own."""

import copy

import numpy as np
import pytest
import torch
from oracles import correlation
from torch import nn

from gsnn_edges import FunctionEdgeInferer, capture_channels
from gsnn_edges.demo import GSNN, masked_problem, train, tutorial
from gsnn_edges.masking import MaskedLoss, mask_rows, masked_inputs

NAMES = {"input": ["x"], "function": list("abc"), "output": ["p", "q"]}
EDGES = {
    ("input", "to", "function"): [[0], [0]],
    ("function", "to", "function"): [[0, 1], [1, 2]],
    ("function", "to", "output"): [[1, 2, 0], [0, 1, 1]],  # q is fed by two nodes
}
MSE = nn.MSELoss()
MEASURED = ["f25", 26, *range(27, 50)]


def problem_of(rows=60, masked=False):
    """The tutorial with a small model, some rows of it, and an inferer."""
    problem = tutorial(seed=0)
    problem = masked_problem(problem) if masked else problem
    graph = problem.edge_index_dict, problem.node_names_dict
    model = GSNN(*graph, channels=2, layers=3, dropout=0.0).eval()
    x, y = (torch.from_numpy(part[:rows]) for part in (problem.x_test, problem.y_test))
    return problem, FunctionEdgeInferer(model, MSE, problem.known_edges), x, y


def test_each_output_is_two_more_inputs_of_the_nodes_that_feed_it():
    before = copy.deepcopy((EDGES, NAMES))
    edges, names = masked_inputs(EDGES, NAMES)
    assert before == (EDGES, NAMES)
    assert names["input"] == ["x", "value of p", "value of q", "mask of p", "mask of q"]
    pairs = set(zip(*edges["input", "to", "function"].tolist(), strict=True))
    assert pairs == {(0, 0), (1, 1), (2, 2), (2, 0), (3, 1), (4, 2), (4, 0)}
    assert {kind: edges[kind] for kind in list(EDGES)[1:]} == dict(list(EDGES.items())[1:])


@pytest.mark.parametrize("keep", [0.2, (0.3, 0.9)])
def test_rows_keep_their_share_and_show_nothing_else(keep):
    x, y = torch.randn(2000, 2), torch.randn(2000, 25)
    masked, (target, kept) = mask_rows(x, y, keep, generator=torch.Generator().manual_seed(1))
    assert target is y
    torch.testing.assert_close(masked, torch.cat([x, torch.where(kept, y, 0), kept.float()], 1))
    shares = kept.double().mean(1)
    assert shares.mean().item() == pytest.approx(np.mean(keep), abs=0.01)
    # One share, or shares that are uniform in the range; binomial around it.
    expected = 0.6**2 / 12 + 0.21 / 25 if isinstance(keep, tuple) else 0.16 / 25
    assert shares.var().item() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.L1Loss, nn.HuberLoss])
def test_loss_judges_what_was_not_kept(loss):
    y, prediction = torch.randn(2, 30, 4)
    prediction.requires_grad_()
    _, target = mask_rows(y, y)
    MaskedLoss(loss(reduction="sum"))(prediction, target).backward()
    got, hidden = prediction.grad.clone(), ~target[1]
    prediction.grad = None
    loss(reduction="sum")(prediction[hidden], y[hidden]).backward()
    torch.testing.assert_close(got, prediction.grad)
    assert MaskedLoss(loss()).reduction == "mean"


def test_w_is_the_mean_over_masks_that_the_seed_draws():
    _, inferer, x, y = problem_of(masked=True)
    seen = []
    hook = inferer.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    evidence = inferer.infer(x, y, score="channels", masks=3, seed=4)
    hook.remove()
    assert len(seen) == 3
    assert evidence.settings["masks"] == 3
    assert evidence.std is None
    drawn = []
    for inputs in seen:
        kept = inputs[:, 50:].bool()
        torch.testing.assert_close(inputs[:, 25:50], torch.where(kept, y, 0))
        assert 0.65 < kept.float().mean() < 0.75

        def hidden_errors(prediction, y, kept=kept):
            return ((prediction - y)[~kept] ** 2).sum()

        alone = FunctionEdgeInferer(inferer.model, hidden_errors, inferer.edge_index)
        drawn.append(alone.fit(inputs, y, score="channels"))
    np.testing.assert_allclose(evidence.W, np.mean(drawn, axis=0), atol=1e-5)
    options = {"score": "channels", "masks": 3, "batch_size": 25}
    np.testing.assert_allclose(inferer.fit(x, y, seed=4, **options), evidence.W, atol=1e-5)
    assert np.abs(inferer.fit(x, y, seed=5, **options) - evidence.W).max() > 1e-3


@pytest.mark.parametrize("score", ["auto", "channels"])
@pytest.mark.parametrize("options", [{"masks": 2, "seed": 1}, {"measured": MEASURED}])
def test_untrained_networks_see_masks_and_residuals_too(score, options):
    _, inferer, x, y = problem_of(masked="masks" in options)
    plain, both = (inferer.infer(x, y, score=score, untrained=u, **options).W for u in (0, 1))
    # The model is untrained itself, and of the same seed.
    np.testing.assert_allclose(both, plain, atol=1e-6)


@pytest.mark.parametrize("estimate", [False, True])
def test_residual_of_a_measured_node_is_one_more_channel_of_the_source(estimate):
    _, inferer, x, y = problem_of()
    options = {"score": "channels", "measured": MEASURED, "batch_size": 25, "seed": 0}
    if estimate:
        options |= {"estimate": True, "estimate_iters": 2, "estimate_n_samples": 25}
    W = inferer.infer(x, y, **options).W
    seen = capture_channels(inferer.model, MSE, x, y)
    residual = (y - inferer.model(x)).detach().numpy()
    nodes, rows = np.append(seen.nodes.numpy(), np.arange(25, 50)), len(x)
    a = np.concatenate([seen.a.numpy(), np.tile(residual, (seen.pairs, 1))], axis=1)
    generator, wanted = np.random.default_rng(0), []
    for _ in range(2 if estimate else 1):
        pick = generator.integers(0, rows, 25) if estimate else np.arange(rows)
        for pair in range(seen.pairs):
            r = correlation(*(part[pair * rows + pick] for part in (a, seen.g.numpy())))
            squares = np.zeros((50, 50))
            np.add.at(squares, (nodes[:, None], seen.nodes.numpy()), r**2)
            wanted.append(np.sqrt(squares))
    np.testing.assert_allclose(W, np.mean(wanted, axis=0), atol=1e-5)


WRONG = {
    "masks with draws": ({"masks": 2, "estimate": True}, "masks must be 0 with estimate=True"),
    "negative masks": ({"masks": -1}, "masks must be at least 0"),
    "masks of one column": ({"masks": 1, "y": torch.ones(60)}, "need x and y as matrices"),
    "masks of a dict": ({"masks": 1, "x": {"x": torch.ones(60, 25)}}, r"matrices.*got dict \(\)"),
    "magnitudes": ({"measured": MEASURED, "score": "magnitude"}, "measured must be None with sc"),
    "both": ({"measured": MEASURED, "masks": 1}, "measured must be None with .*masks=1"),
    "a name": ({"measured": ["f1", "g"]}, "nodes of the model, by name or index below 50; got g"),
    "an index": ({"measured": [50]}, "got 50"),
    "columns": ({"measured": [1, 2]}, r"names 2 nodes.*shape \(B, 2\); got \(60, 25\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_refused(name):
    options, message = WRONG[name]
    _, inferer, x, y = problem_of()
    with pytest.raises(ValueError, match=message):
        inferer.infer(**{"x": x, "y": y, "score": "channels", **options})


def test_wrong_graphs_and_shares_are_refused():
    with pytest.raises(ValueError, match=r"those of a GSNN; missing: .*'output'\)"):
        masked_inputs(dict(list(EDGES.items())[:2]), NAMES)
    with pytest.raises(ValueError, match=r"keep must be a share in \(0, 1\).*got 1.0"):
        mask_rows(torch.ones(3, 1), torch.ones(3, 1), 1.0)


def test_masked_training_fits_what_rows_do_not_keep():
    problem, inferer, *_ = problem_of(masked=True)
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    losses = train(inferer.model, x, y, epochs=8, learning_rate=5e-3, masked=True)
    again = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3, dropout=0)
    assert train(again, x, y, epochs=8, learning_rate=5e-3, masked=True) == losses
    assert losses[-1] < 0.9 * losses[0]
