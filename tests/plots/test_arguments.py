"""What pictures take, and what they say of anything else."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence
from gsnn_edges.plots import arguments


def test_a_matrix_becomes_evidence():
    W = np.eye(3)
    found = arguments.checked_evidence("W", W)
    assert_array_equal(found.W, W)
    assert arguments.labels_of(found) == ["0", "1", "2"]
    named = EdgeEvidence(W, list("abc"))
    assert arguments.checked_evidence("W", named) is named
    assert arguments.labels_of(named) == ["a", "b", "c"]


def test_one_or_several():
    assert arguments.by_name("ranking", 5) == {"": 5}
    assert arguments.by_name("ranking", {"a": 1, 2: 3}) == {"a": 1, "2": 3}
    with pytest.raises(ValueError, match="ranking must hold something to draw; got an empty"):
        arguments.by_name("ranking", {})


def test_ranking_is_handed_on(ranking):
    assert arguments.checked_ranking("ranking", ranking) is ranking


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (arguments.checked_evidence, np.zeros((0, 0)), ValueError, "a node to draw"),
        (arguments.checked_evidence, np.zeros((2, 3)), ValueError, "W must"),
        (arguments.checked_evidence, [[1.0]], TypeError, "W must be an array"),
        (arguments.checked_ranking, {"mrr": 0.5}, TypeError, "got dict: pass what evaluate_edges"),
    ],
)
def test_wrong_input(check, value, error, message):
    with pytest.raises(error, match=message):
        check("W", value)
