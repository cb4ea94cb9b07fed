"""Whose an error is."""

import warnings

import pytest
import torch

from gsnn_edges import _validation, capture
from gsnn_edges.cli.main import by_package, user_of, wrong_targets

NETWORK = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
LAYERS = {"blocks": ["0", "2"], "groups": range(3)}
X, Y = torch.ones(10, 4), torch.ones(10, 3)


def raised(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Using a target size")
        try:
            function(*arguments, **options)
        except Exception as error:
            return error
    raise AssertionError("nothing was raised")


def failing(*_):
    raise ValueError("bad batch")


class Failing(torch.nn.Linear):
    forward = failing


def test_errors_of_model_and_loss_are_the_users():
    error = raised(capture, NETWORK, failing, X, Y, **LAYERS)
    assert (user_of(error), by_package(error)) == ("the criterion", False)
    network = torch.nn.Sequential(NETWORK[0], Failing(3, 3))
    error = raised(capture, network, torch.nn.MSELoss(), X, Y, blocks=["0", "1"], groups=range(3))
    assert user_of(error) == "the model"


def test_what_the_package_says_within_a_pass_is_its_own():
    backwards = {**LAYERS, "blocks": ["2", "0"]}
    error = raised(capture, NETWORK, torch.nn.MSELoss(), X, Y, **backwards)
    assert (user_of(error), by_package(error)) == (None, True)


def test_a_check_is_the_packages():
    error = raised(_validation.flag, "resume", "no")
    assert (user_of(error), by_package(error)) == (None, True)
    assert not by_package(ValueError("of nobody"))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (torch.ones(10, 2), "--y has 2 columns, the model gives 3: give a target for each output"),
        (torch.ones(10, 1), "--y has 1 columns, the model gives 3: give a target for each output"),
        (torch.ones(10), "--y has the shape (10,), the model gives (10, 3): give a target for"),
    ],
)
def test_targets_that_do_not_fit_are_said(y, said):
    error = raised(capture, NETWORK, torch.nn.MSELoss(), X, y, **LAYERS)
    assert wrong_targets(error, {"--y": "y.csv"}).startswith(said)
    assert wrong_targets(error, {}) is None


def test_another_error_of_a_loss_says_nothing_of_targets():
    for crit, y in ((failing, Y), (torch.nn.CrossEntropyLoss(), torch.ones(10, 1).long())):
        error = raised(capture, NETWORK, crit, X, y, **LAYERS)
        assert wrong_targets(error, {"--y": "y.csv"}) is None
