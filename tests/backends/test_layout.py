"""Blocks of host memory."""

import numpy as np
import pytest

from gsnn_edges.backends.layout import aligned, contiguous


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (100, 1000)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aligned_memory_begins_on_a_cache_line(shape, dtype):
    x = aligned(shape, dtype)
    x[:] = 1
    assert (x.shape, x.dtype, x.ctypes.data % 64) == (shape, np.dtype(dtype), 0)


@pytest.mark.parametrize("shape", [(3, 5), (20, 2000), (1, 513)])
def test_contiguous_keeps_the_values_of_any_view(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for view in (x, np.asfortranarray(x), x[::-1, ::-1], np.broadcast_to(x[:1], shape)):
        found = contiguous(view)
        np.testing.assert_array_equal(found, view)
        assert found.flags.c_contiguous
    assert contiguous(x) is x
