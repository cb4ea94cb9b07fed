"""Scores over epochs: the history as BestCheckpoint keeps it."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.plots import mrr_over_epochs

HISTORY = [(0, 0.2), (2, 0.7), (4, float("nan")), (6, 0.7), (8, float("inf")), (10, 0.1)]


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


@pytest.mark.parametrize("history", [HISTORY, SimpleNamespace(history=HISTORY)])
def test_curve_best_epoch_and_failures(history):
    found = lines(mrr_over_epochs(history, chance=0.05))
    assert_array_equal(found["score"].get_xdata(), [0, 2, 4, 6, 8, 10])
    assert_array_equal(found["score"].get_ydata(), [0.2, 0.7, np.nan, 0.7, np.nan, 0.1])
    assert_array_equal(found["best epoch"].get_xydata(), [[2, 0.7]])  # the first of equal ones
    assert_array_equal(found["no finite score"].get_xdata(), [4, 8])
    assert_array_equal(found["random scores"].get_ydata(), [0.05, 0.05])


def test_several_histories():
    ax = mrr_over_epochs({"a": [(0, 0.1), (1, 0.2)], "b": [(0, 0.3), (1, 0.2)]})
    found = lines(ax)
    assert_array_equal(found["a"].get_ydata(), [0.1, 0.2])
    assert_array_equal(found["b"].get_ydata(), [0.3, 0.2])
    assert found["a"].get_color() != found["b"].get_color()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["a", "best epoch", "b"]


def test_nothing_but_failures():
    found = lines(mrr_over_epochs([(0, float("nan"))]))
    assert "best epoch" not in found
    assert_array_equal(found["no finite score"].get_xdata(), [0])


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ([], ValueError, "history must hold a scored epoch"),
        ([0.1, 0.2], ValueError, "history must be a list of .epoch, score."),
        ([("a", "b")], ValueError, "history must be a list of .epoch, score."),
        (0.5, TypeError, "history must be a list of .epoch, score."),
        ({}, ValueError, "history must hold something to draw"),
    ],
)
def test_wrong_history(history, error, message):
    with pytest.raises(error, match=message):
        mrr_over_epochs(history)


def test_wrong_chance():
    with pytest.raises(ValueError, match="chance must lie in"):
        mrr_over_epochs(HISTORY, chance=5)
