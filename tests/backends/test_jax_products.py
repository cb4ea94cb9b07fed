"""JAX's long products, whole and of short operands."""

import numpy as np
import pytest
from libraries import require

from gsnn_edges.backends.splits import SPLITS, shortened

require("jax")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from gsnn_edges.backends import jax_products  # noqa: E402


def rows(count, length, seed):
    x = np.random.default_rng(seed).standard_normal((count, length)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("length", [1, 255, 256, 257, 9000, 256 * 32, 256 * 64 + 300])
@pytest.mark.parametrize("limit", [100, jax_products.CPU_LENGTH, jax_products.DEVICE_LENGTH])
@pytest.mark.parametrize(("product", "bound"), [("float32", 1e-6), ("tf32x3", 1e-6)])
def test_long_products_equal_those_of_float64(length, limit, product, bound):
    a, b = rows(4, length, 0), rows(5, length, 1)
    found = jax_products.long_product(jnp.asarray(a), jnp.asarray(b), product, limit)
    np.testing.assert_allclose(found, a.astype(float) @ b.T.astype(float), rtol=0, atol=bound)


@pytest.mark.parametrize("length", [600, 8192, 70_000])
def test_no_bound_of_a_loop_is_found_out_as_it_runs(length):
    program = jax_products.long_product.lower(rows(2, length, 0), rows(3, length, 1)).compile()
    loops = [line for line in program.as_text().splitlines() if " while(" in line]
    assert len(loops) > 0
    assert [loop for loop in loops if "known_trip_count" not in loop] == []


@pytest.mark.parametrize("name", SPLITS)
def test_short_arrays_are_those_of_plain_arithmetic_also_when_compiled(name):
    x, split = rows(40, 50, 0), SPLITS[name]
    found = jax.jit(lambda x: jax_products.short_array(x, split))(x)
    np.testing.assert_array_equal(found, shortened(x, split))


@pytest.mark.parametrize(
    ("name", "operands"), [("bf16x3", "tensor<4x30xbf16>"), ("tf32x3", "precision = [HIGH, HIGH]")]
)
def test_what_is_compiled_is_the_short_product(name, operands):
    product = jax.jit(lambda a, b: jax_products.stretch_product(a, b, product=name))
    text = product.lower(rows(4, 30, 0), rows(5, 30, 1)).as_text()
    assert operands in text
    assert text.count("dot_general") == 3
    assert "HIGHEST" not in text
