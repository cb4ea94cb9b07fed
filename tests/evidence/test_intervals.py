"""Standard errors and intervals of evidence, beside textbook formulas."""

import numpy as np
import pytest
import scipy.stats

from gsnn_edges import EdgeEvidence, backends
from gsnn_edges.evidence import check_correlations, error_share, fisher_interval

RNG = np.random.default_rng(0)
W = np.tanh(RNG.standard_normal((4, 4)))
SPREAD = RNG.random((4, 4)) / 20
SETTINGS = {
    "score": "magnitude",
    "estimate": True,
    "estimate_iters": 10,
    "estimate_n_samples": 2500,
    "penalty_factor": 0.0,
    "scale_by_act_mean": False,
}


def evidence(W=W, std=SPREAD, **settings):
    return EdgeEvidence(W, std=std, counts={"samples": 100}, settings=SETTINGS | settings)


def slow_interval(w, error, draws, level):
    """Of one correlation: a t interval on the scale of z."""
    scale = error / (1 - w**2)
    return np.tanh(scipy.stats.t.interval(level, draws - 1, loc=np.arctanh(w), scale=scale))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_equal_those_of_scipy(level):
    found = np.array(evidence().interval(level))
    error = evidence().standard_error
    np.testing.assert_allclose(error, SPREAD * 5, rtol=1e-12)  # sqrt(2500 / 100)
    for i, j in np.ndindex(W.shape):
        expected = slow_interval(W[i, j], error[i, j], 10, level)
        np.testing.assert_allclose(found[:, i, j], expected, rtol=1e-9)


def test_arrays_are_of_the_library_of_w(library):
    if library.jit:
        pytest.skip("evidence is no input of compiled code")
    x, spread = (library.array(x.astype(np.float32)) for x in (W, SPREAD))
    found = evidence(x, spread)
    error, (low, high) = found.standard_error, found.interval()
    for array in (error, low, high):
        assert backends.of(array).name == backends.of(x).name
        assert library.numpy(array).dtype == np.float32
    np.testing.assert_allclose(library.numpy(high), evidence().interval()[1], rtol=1e-5)


def test_no_error_gives_no_width_also_at_the_ends():
    ends = np.array([[1.0, -1.0], [0.0, 0.5]])
    low, high = evidence(ends, np.zeros((2, 2))).interval()
    np.testing.assert_allclose(low, ends, rtol=0, atol=1e-11)
    np.testing.assert_allclose(high, ends, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({}, {"samples": 100}),
        (SETTINGS | {"estimate": False}, {"samples": 100}),
        (SETTINGS | {"combined": "mean", "members": 3}, {"samples": 100}),
        (SETTINGS, {}),
    ],
)
def test_without_draws_of_one_model_there_is_no_error(settings, counts):
    assert error_share(settings, counts) is None
    found = EdgeEvidence(W, std=SPREAD, counts=counts, settings=settings)
    assert found.standard_error is None
    with pytest.raises(ValueError, match=r"interval\(0.95\) needs a W with a standard error"):
        found.interval()


def test_one_draw_has_no_error():
    assert evidence(std=None, estimate_iters=1).standard_error is None


def test_combined_members_have_no_error_of_their_own():
    members = [evidence(), evidence(W.T)]
    for combined in (EdgeEvidence.mean(members), EdgeEvidence.rank_mean(members)):
        assert combined.std is not None
        assert combined.standard_error is None


def test_a_file_keeps_the_error(tmp_path):
    evidence().save(tmp_path / "evidence.npz")
    again = EdgeEvidence.load(tmp_path / "evidence.npz")
    np.testing.assert_array_equal(again.standard_error, evidence().standard_error)
    np.testing.assert_array_equal(again.interval(0.9), evidence().interval(0.9))


@pytest.mark.parametrize(
    ("settings", "phrase"),
    [
        ({"score": "channels"}, "score='channels'"),
        ({"penalty_factor": 0.1, "scale_by_act_mean": True}, "penalty.*=0.1, scale.*=True"),
    ],
)
def test_what_is_no_correlation_has_an_error_and_no_interval(settings, phrase):
    np.testing.assert_allclose(evidence(**settings).standard_error, 5 * SPREAD, rtol=1e-12)
    with pytest.raises(ValueError, match=f"correlations in .*; got settings with {phrase}: use"):
        evidence(**settings).interval()


def test_settings_that_say_nothing_are_those_of_correlations():
    check_correlations({})
    low, high = fisher_interval(W, SPREAD, 10, 0.95)
    np.testing.assert_array_less(low, W)
    np.testing.assert_array_less(W, high)
