"""Options are checked before a pass; draws give mean and spread; doubts are said."""

import numpy as np
import pytest
from gsnn_models import TinyGSNN, data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from model_state import assert_unchanged

from gsnn_edges import FunctionEdgeInferer
from gsnn_edges.inference import averaged, penalise, warn_of_constants, warn_of_few

EVEN = [[0, 0, 1, 2, 2, 3]] * 3
EDGES = [[0, 1], [1, 2]]

finite = st.floats(-1, 1, width=32)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(2), st.just(3)), elements=finite)
)
def test_mean_and_spread_of_each_score_are_those_of_numpy(draws):
    found = averaged([matrix.copy() for matrix in scores] for scores in draws)
    for place, (mean, spread) in enumerate(found):
        own = draws[:, place].astype(float)
        np.testing.assert_allclose(mean, own.mean(axis=0), rtol=0, atol=1e-6)
        if len(draws) == 1:
            assert spread is None
        else:
            np.testing.assert_allclose(spread, own.std(axis=0, ddof=1), rtol=0, atol=1e-6)


def test_a_penalty_that_overflows_names_the_way_out():
    edges = [[0] * 200, list(range(1, 201))]
    with pytest.raises(ValueError, match=r"penalty_factor=0.99 is too large .* 200 known edges"):
        penalise(np.ones((201, 201), np.float32), edges, 0.99)


@pytest.mark.parametrize(
    "options",
    [{"layers": "mean"}, {"layers": 0}, {"score": "channels"}, {"score": "auto"}],
    ids=str,
)
@pytest.mark.parametrize("samples", [1, 2])
def test_two_samples_are_refused_before_a_pass(samples, options):
    model = TinyGSNN(EVEN).eval()
    message = f"rows. of x must be at least 3; got {samples}: any two columns"
    with assert_unchanged(model), pytest.raises(ValueError, match=message):
        FunctionEdgeInferer(model, never, EDGES).fit(*data(samples), **options)


@pytest.mark.parametrize("samples", [1, 9])
def test_few_samples_are_doubtful(samples):
    with pytest.warns(UserWarning, match=f"at least 10 samples, .* got {samples}:"):
        warn_of_few(samples)


@pytest.mark.parametrize(
    ("rows", "columns", "phrase"),
    [
        (4, 0, "zero everywhere: the activations of all 4"),
        (3, 0, "3 of 4 nodes have constant activations"),
        (0, 3, "3 of 4 nodes have constant gradients"),
    ],
)
def test_constant_nodes_are_doubtful(rows, columns, phrase):
    W = np.ones((4, 4))
    W[:rows] = 0
    W[:, :columns] = 0
    with pytest.warns(UserWarning, match=phrase):
        warn_of_constants(W)


@pytest.mark.parametrize("constant", [0, 2])
def test_half_of_the_nodes_may_be_constant(constant, recwarn):
    W = np.ones((4, 4))
    W[:constant] = 0
    warn_of_few(10)
    warn_of_constants(W)
    assert list(recwarn) == []


def never(prediction, target):
    raise AssertionError("a pass was made")


WRONG = {
    "n_components of magnitudes": ({"n_components": 2}, ValueError, "n_components=2 needs score="),
    "unknown score": ({"score": "signed"}, ValueError, "score must be one of 'magnitude'"),
    "no direction": (
        {"score": "channels", "n_components": 0},
        ValueError,
        "n_components must be at least 1; got 0",
    ),
    "a pair that is not there": ({"layers": 2}, ValueError, "a layer pair in 0 .. 1; got 2"),
}


@pytest.mark.parametrize(("options", "error", "phrase"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_before_a_pass(options, error, phrase):
    model = TinyGSNN(EVEN).eval()
    with assert_unchanged(model), pytest.raises(error, match=phrase):
        FunctionEdgeInferer(model, never, EDGES).fit(*data(20), **options)


def test_edges_of_other_nodes_are_refused_before_a_pass():
    model = TinyGSNN(EVEN).eval()
    with pytest.raises(ValueError, match=r"edge_index must hold targets in 0 \.\. 3"):
        FunctionEdgeInferer(model, never, [[0], [4]]).fit(*data(20))
