"""Short operands: what they hold, and how close their products come."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from libraries import require

from gsnn_edges import backends
from gsnn_edges.backends.splits import SPLITS, factors, parts, shortened
from gsnn_edges.backends.summation import GROUP

# Of the sum of |x * y|: the three parts that are dropped, each of the square of a rounding.
WORST = {"tf32": 2.0**-10, "tf32x3": 3 * 2.0**-22 + 2.0**-23, "bf16x3": 3 * 2.0**-16}


def numbers(shape, seed=0):
    rng = np.random.default_rng(seed)
    exponent = rng.integers(-40, 10, shape)
    return (rng.standard_normal(shape) * 2.0**exponent).astype(np.float32)


def nearest(x, bits):
    """Round in float64, where frexp gives mantissas in [0.5, 1)."""
    mantissa, exponent = np.frexp(x.astype(float))
    return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent)


@pytest.mark.parametrize("name", SPLITS)
def test_shortened_is_the_nearest_short_number(name, library):
    ops = backends.of(library.array(np.zeros(1, np.float32)))
    x, split = numbers((50, 40)), SPLITS[name]
    found = ops.to_numpy(ops.shortened(library.array(x), split)).astype(float)
    np.testing.assert_array_equal(found, nearest(x, split.bits))


@pytest.mark.parametrize("name", ["tf32x3", "bf16x3"])
def test_both_parts_are_short_and_sum_to_nearly_all(name):
    x, split = numbers(5000), SPLITS[name]
    high, low = parts(x, split, shortened)
    for part in (high, low):
        np.testing.assert_array_equal(part, nearest(part, split.bits))
    rest = np.abs(x.astype(float) - high - low) / np.abs(x)
    np.testing.assert_array_less(rest, 2.0 ** (-2 * split.bits) + 1e-30)


def test_factors_leave_out_the_product_of_low_parts():
    x, y = numbers((3, 200)), numbers((4, 200), seed=1)
    pairs = factors(x, y, SPLITS["bf16x3"], shortened)
    low, right = parts(x, SPLITS["bf16x3"], shortened)[1], parts(y, SPLITS["bf16x3"], shortened)[1]
    found = sum(a.astype(float) @ b.T.astype(float) for a, b in pairs)
    whole = low.astype(float) @ right.T.astype(float)
    high = [sum(parts(z, SPLITS["bf16x3"], shortened)).astype(float) for z in (x, y)]
    np.testing.assert_allclose(found + whole, high[0] @ high[1].T, rtol=1e-6, atol=1e-9)
    assert len(factors(x, y, SPLITS["tf32"], shortened)) == 1


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("length", [1, 700, 20_000])
def test_products_are_within_what_is_dropped(name, length, library):
    a, b = (numbers((5, length), seed) for seed in (0, 1))
    ops = replace(backends.of(library.array(a)), product=name)
    found = ops.to_numpy(library.call(ops.matmul, library.array(a), library.array(b)))
    exact = a.astype(float) @ b.T.astype(float)
    scale = np.abs(a).astype(float) @ np.abs(b).T.astype(float)
    # Besides, the sum is one of float32.
    np.testing.assert_array_less(np.abs(found - exact), (WORST[name] + 2e-6) * scale)
    assert found.dtype == np.float32


@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "generic"])
def test_a_short_product_is_shorter_than_a_whole_one(name):
    if name != "generic":
        require(name)
    ops = backends.load(name)
    x = np.random.default_rng(0).random((2, 3000)).astype(np.float32)
    whole, short = (
        ops.to_numpy(replace(ops, product=product).matmul(ops.adopt(x), ops.adopt(x)))
        for product in ("float32", "tf32")
    )
    assert np.abs(whole - short).max() > 1e-3  # or this would test float32


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_float64_is_multiplied_as_it_is(name):
    require(name)
    ops = replace(backends.load(name), product="bf16x3")
    x = np.random.default_rng(0).standard_normal((3, 500))
    found = ops.to_numpy(ops.matmul(ops.adopt(x), ops.adopt(x)))
    np.testing.assert_allclose(found, x @ x.T, rtol=0, atol=1e-10)


def cut(x):
    """Cut float64 off to the mantissa of float32, as tensor cores do with what they have summed."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.trunc(mantissa * 2.0**24) / 2.0**24, exponent)


def cut_sum(x, y, length, together):
    """Sum products of each stretch, so many together, and cut the running sum off after each."""
    products = x.astype(float) * y.astype(float)
    products = np.pad(products, (0, -len(products) % length)).reshape(-1, length)
    steps = products.reshape(len(products), -1, together).sum(2)
    total = np.zeros(len(products))
    for step in steps.T:
        total = cut(total + step)
    return total


def on_tensor_cores(x, y, split, length):
    """A product of two rows by a model of tensor cores: stretches are rounded, sums cut off."""
    together = {"tf32": 8, "bf16": 16}[split.kind]
    pairs = factors(x, y, split, shortened)
    stretches = zip(*(cut_sum(*pair, length, together) for pair in pairs), strict=True)
    groups, total = [], np.float32(0)
    for number, stretch in enumerate(stretches):
        if number % GROUP == 0:
            groups.append(np.float32(0))
        for part in stretch:
            groups[-1] = np.float32(groups[-1] + np.float32(part))
    for group in groups:
        total = np.float32(total + group)
    return float(total)


def unit_ranks(length, kind):
    values = np.random.default_rng(0).standard_normal(length)
    if kind == "zeros":
        values[values < 0.3] = 0
    ranks = scipy.stats.rankdata(values)
    ranks -= ranks.mean()
    return (ranks / np.linalg.norm(ranks)).astype(np.float32)


# What docs/backends.md promises.
BOUND = {"tf32x3": 1e-6, "bf16x3": 2e-5, "tf32": 1e-3}


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["continuous", "zeros"])
@pytest.mark.parametrize("length", [2000, 100_000])
def test_sums_that_are_cut_off_keep_the_bounds(name, sign, kind, length):
    x, split = unit_ranks(length, kind), SPLITS[name]
    found = on_tensor_cores(x, sign * x, split, split.length)
    np.testing.assert_allclose(found, sign, rtol=0, atol=BOUND[name])


def test_longer_stretches_would_not_keep_them():
    x, split = unit_ranks(20_000, "continuous"), SPLITS["tf32x3"]
    assert abs(on_tensor_cores(x, x, split, 2048) - 1) > 4e-6


@pytest.mark.gpu
@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("kind", ["continuous", "zeros"])
def test_a_row_beside_itself_on_tensor_cores(library, name, kind):
    ops = replace(backends.load(library, "cuda"), product=name)
    x = np.stack([unit_ranks(length, kind) for length in [100_000] * 2] * 64)
    found = ops.to_numpy(ops.matmul(ops.adopt(x), ops.adopt(np.concatenate([x, -x]))))
    expected = np.concatenate([np.ones((128, 128)), -np.ones((128, 128))], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=BOUND[name])
