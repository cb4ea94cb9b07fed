"""Parts of JAX arrays, and writes into them."""

import numpy as np
import pytest
from libraries import require

require("jax")
require("torch")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from gsnn_edges.backends import jax_arrays  # noqa: E402


def test_columns_become_rows_by_one_program_for_each_size():
    x = np.arange(48.0, dtype=np.float32).reshape(4, 12)
    before = jax_arrays.columns_as_rows._cache_size()
    for low in (0, 3, 7):
        found = jax_arrays.columns_as_rows(jnp.asarray(x), low, 5)
        np.testing.assert_array_equal(found, x[:, low : low + 5].T)
    assert jax_arrays.columns_as_rows._cache_size() == before + 1


def test_a_block_is_written_where_the_result_lies():
    out = jnp.zeros((5, 6))
    place = out.unsafe_buffer_pointer()
    found = jax_arrays.write_in_place(out, jnp.ones((2, 3)), 1, 2)
    assert found.unsafe_buffer_pointer() == place
    expected = np.zeros((5, 6))
    expected[1:3, 2:5] = 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("x", [torch.randn(20, 30), torch.randn(20, 30)[:, 5:9]])
def test_an_owned_copy_of_a_tensor_is_nobody_elses(x):
    copy = jax_arrays.own_copy(x)
    assert copy.unsafe_buffer_pointer() != x.data_ptr()
    np.testing.assert_array_equal(copy, x.numpy())


def test_devices_are_found_by_platform_and_number():
    assert jax_arrays.find_device("cpu:0") == jax.devices("cpu")[0]
    with pytest.raises(ValueError, match="device='cpu:99': JAX finds"):
        jax_arrays.find_device("cpu:99")
