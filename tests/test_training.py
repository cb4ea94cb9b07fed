"""The best epoch is the one a plain loop would choose; scoring leaves no trace."""

import copy
import math
import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from model_state import assert_unchanged
from numpy.testing import assert_array_equal

from gsnn_edges import FunctionEdgeInferer, mrr
from gsnn_edges.demo import GSNN, tutorial
from gsnn_edges.training import BestCheckpoint, lightning_callback

EDGES, TRUE = [[0], [1]], [[0], [1]]


def weighted_module():
    """One weight, one buffer, and a state that is no tensor."""

    class Counted(torch.nn.Linear):
        def get_extra_state(self):
            return {"calls": [1]}

        def set_extra_state(self, state):
            assert state == {"calls": [1]}

    module = Counted(1, 1, bias=False)
    module.register_buffer("seen", torch.zeros(3))
    return module


def tracker_of(scores, module=None, **options):
    """A tracker whose metric gives these scores one after the other."""
    given = iter(scores)
    module = weighted_module() if module is None else module
    metric = {"metric": lambda *_: next(given)} | options
    return BestCheckpoint(module, lambda: np.zeros((2, 2)), EDGES, TRUE, **metric)


def run(tracker, epochs):
    """Steps with the weight set to the epoch's number."""
    for epoch in epochs:
        tracker.model.weight.data.fill_(epoch)
        tracker.model.seen.fill_(-epoch)
        tracker.step(epoch)


@pytest.mark.parametrize(
    ("scores", "best", "stale"),
    [
        ([0.1, 0.5, 0.3], 1, 1),
        ([0.5, 0.5, 0.5], 0, 2),  # the first of equal ones
        ([0.1, 0.2, 0.3], 2, 0),
        ([-3.0, -2.0, -4.0], 1, 1),
    ],
)
def test_keeps_the_best_weights(scores, best, stale):
    tracker = tracker_of(scores)
    run(tracker, range(3))
    found = (tracker.best_epoch, tracker.best_score, tracker.stale, tracker.failures)
    assert found == (best, scores[best], stale, 0)
    assert tracker.history == list(enumerate(scores))
    assert tracker.model.weight.item() == 2
    tracker.restore()
    assert tracker.model.weight.item() == best
    assert_array_equal(tracker.model.seen, [-best] * 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_never_wins(bad):
    tracker = tracker_of([bad, 0.2, bad, 0.1])
    with pytest.warns(UserWarning, match="which is ignored; the best epoch is still") as caught:
        run(tracker, range(4))
    assert len(caught) == 2
    assert (tracker.best_epoch, tracker.failures, tracker.stale) == (1, 2, 2)
    assert_array_equal([score for _, score in tracker.history], [bad, 0.2, bad, 0.1])
    tracker.restore()
    assert tracker.model.weight.item() == 1


def test_nothing_to_restore():
    with pytest.warns(UserWarning, match="the best epoch is still None"):
        run(tracker := tracker_of([math.nan]), [0])
    with pytest.raises(RuntimeError, match="1 were scored and 1 of them failed"):
        tracker.restore()


def test_other_errors_are_raised():
    def fail():
        raise ValueError("row_chunk must be at least 1; got 0")

    tracker = BestCheckpoint(weighted_module(), fail, EDGES, TRUE)
    with pytest.raises(ValueError, match="row_chunk must be at least 1"):
        tracker.step(0)
    assert tracker.history == []


def test_every_few_epochs():
    tracker = tracker_of([0.1, 0.2, 0.3], every=5)
    run(tracker, range(1, 16))
    assert tracker.history == [(5, 0.1), (10, 0.2), (15, 0.3)]
    assert tracker_of([0.5], every=2).step(1) is None


def test_scoring_leaves_no_trace():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    model.train()[1].eval()
    modes = []

    def infer():
        modes.append([module.training for module in model.modules()])
        model.train()
        model[0].weight.data += 1
        model[0].cache = model(torch.randn(5, 4))
        np.random.rand()  # noqa: NPY002 - a global generator that moves
        return np.zeros((2, 2))

    tracker = BestCheckpoint(model, infer, EDGES, TRUE)
    with assert_unchanged(model):
        tracker.step(0)
    assert modes == [[False] * 3]


def gsnn():
    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=3, layers=4, seed=0)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    return problem, model, lambda: inferer.fit(problem.x_test[:100], problem.y_test[:100])


def epoch_of_training(model, problem, optimizer):
    model.train()
    x, y = torch.from_numpy(problem.x_train[:200]), torch.from_numpy(problem.y_train[:200])
    for part in range(0, 200, 50):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x[part : part + 50]), y[part : part + 50]).backward()
        optimizer.step()


def trained(tracked):
    """Train a GSNN, with the tracker or with a plain loop that copies the model each epoch."""
    problem, model, infer = gsnn()
    edges = problem.validation_edges, problem.true_edges
    tracker = BestCheckpoint(model, infer, *edges)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    copies = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for epoch in range(6):
            epoch_of_training(model, problem, optimizer)
            if tracked:
                tracker.step(epoch)
            else:
                model.eval()
                copies.append((mrr(infer(), *edges), copy.deepcopy(model.state_dict())))
    return tracker, copies


def test_the_best_gsnn_is_that_of_a_plain_loop():
    tracker, _ = trained(tracked=True)
    _, copies = trained(tracked=False)
    scores = [score for score, _ in copies]
    assert [score for _, score in tracker.history] == scores
    assert tracker.best_epoch == int(np.argmax(scores))
    tracker.restore()
    for name, tensor in tracker.model.state_dict().items():
        assert_array_equal(tensor, copies[tracker.best_epoch][1][name])
    again = BestCheckpoint(
        tracker.model, tracker.infer, tracker.edge_index, tracker.all_true_edges
    ).step(0)
    assert again == tracker.best_score


def test_a_gsnn_that_diverges_is_not_kept():
    problem, model, infer = gsnn()
    tracker = BestCheckpoint(model, infer, problem.validation_edges, problem.true_edges)
    first = tracker.step(0)
    for epoch, value in ((1, math.nan), (2, 1e30)):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(value)
        with pytest.warns(UserWarning, match=r"score of nan \(activations must be finite"):
            tracker.step(epoch)
    tracker.restore()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tracker.step(3) == first
    assert (tracker.best_epoch, tracker.failures, tracker.stale) == (0, 2, 3)


def test_lightning_scores_each_epoch_and_restores_the_best(monkeypatch):
    """A stand-in for Lightning, which calls these two methods of a callback."""
    monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", SimpleNamespace(Callback=object))
    model = torch.nn.Linear(1, 1, bias=False)
    scores = iter([0.3, 0.9, 0.1])
    tracker = BestCheckpoint(
        model, lambda: np.eye(2), [[0], [1]], [[0], [1]], metric=lambda *_: next(scores)
    )
    callback = lightning_callback(tracker)
    callback.on_fit_end(None, model)  # of a fit without an epoch
    for epoch in range(3):
        model.weight.data.fill_(epoch)
        callback.on_train_epoch_end(SimpleNamespace(current_epoch=epoch), model)
    callback.on_fit_end(None, model)
    assert (model.weight.item(), tracker.history) == (1, [(0, 0.3), (1, 0.9), (2, 0.1)])
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(ImportError, match="pip install lightning"):
        lightning_callback(tracker)
    with pytest.raises(TypeError, match="checkpoint must be a BestCheckpoint; got Linear"):
        lightning_callback(model)
