"""Training: AdamW step by step in NumPy, the batches, the seeds, and the tutorial's loss."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from gsnn_edges.demo import training
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.simulation import tutorial
from gsnn_edges.demo.topologies import graph
from gsnn_edges.demo.training import recipe_for, train


def data(rows=40):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    return x, x @ torch.randn(3, 2, generator=generator, dtype=torch.float64)


def linear():
    model = nn.Linear(3, 2, bias=False).double()
    nn.init.constant_(model.weight, 0.1)
    return model


class Recorder(nn.Module):
    """Passes x through and keeps every batch, and the number of threads it came with."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.batches = []
        self.threads = []

    def forward(self, x):
        self.batches.append(x.detach().clone())
        self.threads.append(torch.get_num_threads())
        return x * self.scale


def adam(weight, x, y, steps, rate):
    """Adam as published, on the mean squared error of x @ weight.T."""
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    losses = []
    for step in range(1, steps + 1):
        error = x @ weight.T - y
        losses.append((error**2).mean())
        slope = 2 * error.T @ x / error.size
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        root = np.sqrt(square / (1 - 0.999**step))
        weight = weight - rate * mean / (1 - 0.9**step) / (root + 1e-8)
    return weight, losses


def test_steps_are_those_of_adam_without_decay():
    x, y = data()
    model = linear()
    losses = train(model, x, y, epochs=7, learning_rate=0.05, batch_size=40)
    weight, expected = adam(np.full((2, 3), 0.1), x.numpy(), y.numpy(), 7, 0.05)
    assert_allclose(losses, expected, rtol=1e-10)
    assert_allclose(model.weight.detach(), weight, rtol=1e-10)


def test_each_epoch_shuffles_and_leaves_out_the_ragged_batch():
    x = torch.arange(10.0)[:, None]
    model = Recorder()
    train(model, x, x, epochs=3, batch_size=4)
    assert [batch.shape for batch in model.batches] == [(4, 1)] * 6
    epochs = torch.stack(model.batches).view(3, 8)
    for epoch in epochs:
        assert len(epoch.unique()) == 8
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3


def test_seed_decides_order_and_dropout_and_global_states_stay():
    x, y = data()
    weights = []
    before = torch.get_rng_state()
    for seed in (1, 1, 2):
        model = nn.Sequential(nn.Dropout(0.5), linear())
        torch.set_rng_state(before)
        train(model, x, y, epochs=2, batch_size=16, seed=seed)
        assert_array_equal(torch.get_rng_state(), before)
        weights.append(model[1].weight.detach())
    assert_array_equal(weights[0], weights[1])
    assert_array_equal(weights[0] != weights[2], True)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("work_of_a_thread", "used"), [(100, 1), (4, 2), (1, 3)])
def test_threads_suit_the_work(three_threads, monkeypatch, work_of_a_thread, used):
    monkeypatch.setattr(training, "WORK_OF_A_THREAD", work_of_a_thread)
    x, model = torch.ones(10, 1), Recorder()
    train(model, x, x, epochs=1, batch_size=8)
    assert model.threads == [used]
    assert torch.get_num_threads() == 3


def test_a_failure_leaves_threads_and_random_state(three_threads):
    model, before = linear(), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="shapes"):
        train(model, torch.ones(10, 4).double(), torch.ones(10, 2).double(), batch_size=8)
    assert torch.get_num_threads() == 3
    assert_array_equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("epochs", [0, 1])
def test_model_is_left_in_evaluation_mode(epochs):
    model = linear()
    losses = train(model, *data(), epochs=epochs, batch_size=8)
    assert not model.training
    assert len(losses) == epochs


def test_verbose_shows_progress_on_standard_error(capsys):
    train(linear(), *data(), epochs=2, batch_size=8, verbose=True)
    train_output = capsys.readouterr()
    assert "training epochs" in train_output.err
    train(linear(), *data(), epochs=2, batch_size=8)
    assert capsys.readouterr() == ("", "")


def test_tutorial_reaches_the_noise_that_the_held_out_edges_leave():
    problem = tutorial(seed=0)
    recipe = recipe_for(graph("tutorial"))
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, dropout=recipe.dropout)
    x, y, x_test, y_test = (
        torch.from_numpy(rows)
        for rows in (problem.x_train, problem.y_train, problem.x_test, problem.y_test)
    )
    train(model, x, y, epochs=16, learning_rate=recipe.learning_rate)
    # Without one of its two parents the input of a middle keeps 1.25 of its variance of 2.25.
    assert_allclose(nn.functional.mse_loss(model(x_test), y_test).item(), 1.25 / 2.25, atol=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 41}, "batch_size must be at most the number of rows, 40; got 41"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"epochs": -1}, "epochs must be at least 0; got -1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        train(linear(), *data(), **options)
