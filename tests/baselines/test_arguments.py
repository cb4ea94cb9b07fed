"""What `compare` refuses, and what it makes of what it takes."""

import numpy as np
import pytest
import rankings
from numpy.testing import assert_array_equal

from gsnn_edges.baselines import compare
from gsnn_edges.baselines.comparison import untrained_matrices

NODES = 20


def problem():
    scores, edges, true = rankings.proper_problem(0, NODES)
    return scores, edges, true, true[:, edges.shape[1] :]


def test_factory_is_called_with_the_seeds_from_zero():
    given = {"W": lambda seed: np.full((2, 2), seed), "V": [np.ones((2, 2))]}
    found = untrained_matrices(given, dict.fromkeys(given), 3, 2)
    assert [matrix[0, 0] for matrix in found["W"]] == [0, 1, 2]
    assert_array_equal(found["V"], [np.ones((2, 2))])
    assert list(untrained_matrices(given["W"], {}, 3, 2)) == [""]
    assert untrained_matrices(None, {}, 3, 2) == {}


NAN = np.full((NODES, NODES), np.nan)
SQUARE = np.zeros((NODES, NODES))
VALUES = np.arange(12.0).reshape(4, 3), [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scores": SQUARE}, TypeError, "scores must map names to matrices.*got ndarray"),
        ({"scores": {}}, TypeError, "got dict without an entry"),
        ({"scores": {3: SQUARE}}, TypeError, "scores must have names of str; got 3"),
        ({"scores": {"ridge": SQUARE}}, ValueError, "must not be named as a baseline; got ridge"),
        ({"scores": {"W": NAN}}, ValueError, r"scores\['W'\] must be finite; got 400 NaN"),
        ({"scores": {"W": SQUARE[:3]}}, ValueError, r"scores\['W'\]: A must be square"),
        ({"scores": {"W": SQUARE, "V": np.eye(30)}}, ValueError, "of the same nodes; got sizes"),
        ({"scores": {"W": [[1.0]]}}, TypeError, r"scores\['W'\] must be an array"),
        (
            {"known_edges": problem()[2]},
            ValueError,
            "must not hold queries; 40 of the 40 columns",
        ),
        ({"known_edges": [[0], [NODES]]}, ValueError, "known_edges must hold targets"),
        ({"observations": SQUARE[:, :3]}, ValueError, r"must have shape \(M, 20\).*got \(20, 3\)"),
        ({"perturbations": VALUES}, ValueError, "must come with measured"),
        (
            {"measured": VALUES, "perturbations": (np.ones((5, 3)), [0, 1, 2])},
            ValueError,
            "must be of the same samples; got 4 and 5 rows",
        ),
        ({"untrained": {"V": [SQUARE]}}, ValueError, "for scores that are given, W; got V"),
        ({"untrained": SQUARE}, TypeError, "untrained must be a callable.*got ndarray"),
        ({"untrained": []}, TypeError, "or a list of matrices, at least one"),
        ({"untrained": {"W": [np.eye(3)]}}, ValueError, r"untrained\['W'\] must hold .*got 3"),
        ({"untrained": [NAN]}, ValueError, "untrained, matrix 0 must be finite"),
        ({"untrained": lambda seed: SQUARE, "seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"direction": "up"}, ValueError, "direction must be one of"),
        ({"n_resamples": 7}, ValueError, "n_resamples must be at least 100"),
    ],
)
def test_arguments_that_break_a_rule_are_refused(options, error, message):
    scores, edges, true, known = problem()
    options = {"known_edges": known, "n_resamples": None} | options
    with pytest.raises(error, match=message):
        compare(options.pop("scores", {"W": scores}), edges, true, **options)
