"""The laws of every primitive, on every backend, against the generic one or a loop."""

import numpy as np
import pytest
from columns import kinds, matrix

from gsnn_edges import backends
from gsnn_edges.backends.generic_backend import GenericBackend

GENERIC = GenericBackend.load()


@pytest.fixture
def ops(library):
    if library.jit:
        pytest.skip("primitives are compiled inside the functions that use them")
    return backends.of(library.array(np.zeros(1, np.float32)))


def block(length=500):
    return np.ascontiguousarray(matrix(*kinds(length)).T)


@pytest.mark.parametrize("length", [1, 2, 500])
def test_sort_rows_is_the_stable_argsort(ops, library, length):
    x = block(length)
    keys, order = ops.sort_rows(library.array(x))
    _, expected = GENERIC.sort_rows(x)
    np.testing.assert_array_equal(ops.to_numpy(order), expected)
    ties = np.diff(np.take_along_axis(x, expected, axis=1), axis=1) == 0
    np.testing.assert_array_equal(np.diff(ops.to_numpy(keys).astype(float), axis=1) == 0, ties)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_run_bounds_hold_each_element(ops, library, share, dtype):
    first = np.random.default_rng(0).random((4, 300)) < share
    keys = (np.cumsum(first, axis=1) - 7).astype(dtype)
    keys[:, :2] = keys[:, 1:2]
    start, stop = (ops.to_numpy(bound) for bound in ops.run_bounds(library.array(keys)))
    expected = GENERIC.run_bounds(keys)
    np.testing.assert_array_equal(start, expected[0])
    np.testing.assert_array_equal(stop, expected[1])


@pytest.mark.parametrize("length", [1, 2, 500])
def test_run_bounds_of_sorted_values_are_those_of_numpy(ops, library, length):
    x = block(length)
    keys, _ = ops.sort_rows(library.array(x))
    start, stop = (ops.to_numpy(bound) for bound in ops.run_bounds(keys))
    ordered = np.sort(x, axis=1)
    for row in range(len(x)):
        np.testing.assert_array_equal(start[row], np.searchsorted(ordered[row], ordered[row]))
        np.testing.assert_array_equal(
            stop[row], np.searchsorted(ordered[row], ordered[row], side="right")
        )


def test_generic_run_bounds_equal_a_loop():
    keys = np.array([[1, 1, 2, 5, 5, 5]])
    start, stop = GENERIC.run_bounds(keys)
    np.testing.assert_array_equal(start, [[0, 0, 2, 3, 3, 3]])
    np.testing.assert_array_equal(stop, [[2, 2, 3, 6, 6, 6]])


def test_scatter_rows_undoes_the_sort(ops, library):
    x = library.array(block())
    _, order = ops.sort_rows(x)
    sorted_values = ops.xp.sort(x, axis=1)
    np.testing.assert_array_equal(ops.to_numpy(ops.scatter_rows(order, sorted_values)), block())


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_reordered_takes_the_last_axis_in_another_order(ops, library, shape):
    rng = np.random.default_rng(0)
    x, order = rng.standard_normal(shape).astype(np.float32), rng.permutation(7)
    found = ops.reordered(library.array(x), library.array(order))
    np.testing.assert_array_equal(ops.to_numpy(found), x[..., order])


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("columns", [1, 7, 400])
def test_sum_by_key_equals_bincount(ops, library, columns, dtype):
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, (5, columns)).astype(np.int32)
    weights = rng.integers(0, 4, columns).astype(dtype)
    sums = ops.sum_by_key(library.array(keys), library.array(weights), 50)
    expected = [np.bincount(row, weights, minlength=50) for row in keys]
    np.testing.assert_array_equal(ops.to_numpy(sums), expected)
    assert ops.to_numpy(sums).dtype == dtype


@pytest.mark.parametrize("length", [1, 33, 5000])
def test_matmul_is_true_float32(ops, library, length):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, length)).astype(np.float32) for n in (7, 9))
    found = ops.to_numpy(ops.matmul(library.array(a), library.array(b)))
    expected = a.astype(float) @ b.astype(float).T
    # bfloat16 or TF32 would be off by 1e-3 of the length.
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * length**0.5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("shape", [(5, 7), (700, 300), (3, 200_000)])
@pytest.mark.parametrize("transposed", [False, True])
def test_map_rows_sees_every_row_once_and_whole(ops, library, shape, transposed):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rows = library.array(np.ascontiguousarray(x.T)).T if transposed else library.array(x)

    def less_row_start(block, *, ops, dtype):
        return block - block[:, :1]

    found = ops.to_numpy(ops.map_rows(less_row_start, rows, "float32"))
    np.testing.assert_array_equal(found, x - x[:, :1])


def test_map_rows_hands_shared_arrays_to_every_block(ops, library):
    def plus(x, row, *, ops, dtype):
        return x + row

    rows, shared = block(), np.arange(500, dtype=np.float32)
    found = ops.map_rows(plus, library.array(rows), "float32", library.array(shared))
    np.testing.assert_array_equal(ops.to_numpy(found), rows + shared)


@pytest.mark.parametrize("device", ["cuda", "tpu", 3])
def test_numpy_and_generic_know_the_host_only(device):
    for name in ("numpy", "generic"):
        with pytest.raises(ValueError, match="device must be None or 'cpu'"):
            backends.load(name, device)
