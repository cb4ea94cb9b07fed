"""Wrong calls, and what is said to them."""

import jax
import numpy as np
import pytest

from gsnn_edges.sharded import sharded_blocks, sharded_correlation

GOOD = np.random.default_rng(0).random((5, 3), dtype=np.float32)


@pytest.mark.parametrize("function", [sharded_correlation, sharded_blocks])
@pytest.mark.parametrize(
    ("changed", "error", "phrase"),
    [
        ({"g": GOOD[:4]}, ValueError, "same number of observations"),
        ({"a": GOOD[:1], "g": GOOD[:1]}, ValueError, "at least 2 observations"),
        ({"a": GOOD[0]}, ValueError, "a must have 2 dimensions"),
        ({"a": [[1.0]]}, TypeError, "a must be an array"),
        ({"a": GOOD * np.nan}, ValueError, "a must be finite; got 15 NaN"),
        ({"g": jax.numpy.asarray(GOOD) / 0}, ValueError, "g must be finite"),
        ({"a": GOOD.astype("f8")}, ValueError, "a of dtype float64 must be computed in float64"),
        ({"precision": "float64"}, ValueError, "jax_enable_x64"),
        ({"precision": "half"}, ValueError, "precision must be one of"),
        ({"method": "kendall"}, ValueError, "method must be one of"),
        ({"ties": "first"}, ValueError, "ties must be one of"),
        ({"row_chunk": 0}, ValueError, "row_chunk must be at least 1"),
    ],
)
def test_wrong_calls(function, changed, error, phrase):
    with pytest.raises(error, match=phrase):
        function(**{"a": GOOD, "g": GOOD, "devices": 1} | changed)


def test_traced_arrays_are_refused():
    with pytest.raises(TypeError, match="must not be traced"):
        jax.jit(sharded_correlation)(GOOD, GOOD)
