"""Running moments equal those of NumPy over all arrays at once, in every library."""

import numpy as np
import pytest

from gsnn_edges import backends
from gsnn_edges.resampling import Moments


@pytest.mark.parametrize("count", [1, 2, 7])
def test_moments_equal_those_of_numpy(library, count):
    if library.jit:
        pytest.skip("nothing to compile")
    # A large mean, of which a sum of squares would leave no digit of the deviation.
    arrays = 1000 + np.random.default_rng(0).standard_normal((count, 4, 3)).astype(np.float32)
    first, *rest = (library.array(x) for x in arrays)
    moments = Moments(backends.of(first).xp.asarray(first, copy=True))
    for x in rest:
        moments.add(x)
    exact = arrays.astype(np.float64)
    np.testing.assert_allclose(library.numpy(moments.mean), exact.mean(axis=0), rtol=2e-7)
    if count == 1:
        assert moments.variance is None
    else:
        expected = exact.var(axis=0, ddof=1)
        np.testing.assert_allclose(library.numpy(moments.variance), expected, rtol=0.01)


def test_float64_keeps_its_digits_when_float32_is_added():
    arrays = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    moments = Moments(arrays[0].astype(np.float64))
    for x in arrays[1:]:
        moments.add(x)
    np.testing.assert_allclose(moments.mean, arrays.mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert moments.variance.dtype == np.float64


def test_what_is_added_stays_as_it_was():
    second = np.ones(3)
    moments = Moments(np.zeros(3))
    moments.add(second)
    moments.add(np.full(3, 2.0))
    np.testing.assert_array_equal(second, 1)
