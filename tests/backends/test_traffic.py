"""How arrays come, go and lie, on every backend."""

import numpy as np
import pytest
from columns import kinds, matrix

from gsnn_edges import backends
from gsnn_edges.backends.drains import LateDrain


@pytest.fixture
def ops(library):
    if library.jit:
        pytest.skip("primitives are compiled inside the functions that use them")
    return backends.of(library.array(np.zeros(1, np.float32)))


def block(length=500):
    return np.ascontiguousarray(matrix(*kinds(length)).T)


@pytest.mark.parametrize(("low", "high"), [(0, 30), (3, 9), (29, 30), (4, 4)])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_columns_become_rows(ops, library, low, high, dtype):
    x = np.arange(600).reshape(20, 30).astype(dtype)
    found = ops.columns_as_rows(library.array(x), low, high)
    # Of this library, or what ranks its arrays.
    assert backends.of(found).name in (ops.name, ops.ranker().name)
    np.testing.assert_array_equal(np.asarray(found), x[:, low:high].T)


def test_write_puts_blocks_in_place(ops, library):
    out = ops.empty((4, 5), ops.xp.float32)
    for row in (0, 2):
        for column in (0, 2):
            value = np.full((2, 3), 10 * row + column, np.float32)
            out = ops.write(out, library.array(value), row, column)
    expected = np.array([[0, 0, 2, 2, 2]] * 2 + [[20, 20, 22, 22, 22]] * 2)
    np.testing.assert_array_equal(ops.to_numpy(out), expected)


def test_take_over_and_to_numpy_keep_values(ops):
    x = block()
    np.testing.assert_array_equal(ops.to_numpy(ops.take_over(x.copy())), x)


def test_free_bytes_are_a_number_or_unknown(ops):
    free = ops.free_bytes()
    assert free is None or free > 0


def test_a_feed_gives_what_the_backend_would_move(ops):
    blocks = [block(), block(30)]
    with ops.feed(lambda x: backends.move(x, ops)) as feed:
        for x in blocks:
            taken = feed.take(x)
            np.testing.assert_array_equal(ops.to_numpy(taken), x)
            feed.release(taken)


def test_the_host_is_of_the_same_library(ops):
    x = block()
    home = ops.host()
    assert home.name == ops.name
    np.testing.assert_array_equal(home.to_numpy(backends.move(ops.adopt(x), home)), x)


@pytest.mark.parametrize("away", [False, True])
def test_a_drain_writes_every_block(ops, library, away):
    x = np.random.default_rng(0).standard_normal((30, 40)).astype(np.float32)
    home = ops.host() if away else ops
    out = home.empty((30, 40), home.xp.float32)
    with ops.drain(home, lambda block: backends.move(block, home)) as drain:
        assert isinstance(drain, LateDrain) == (home is not ops)
        for row in (0, 10, 20):
            for column in (0, 20):
                part = np.ascontiguousarray(x[row : row + 10, column : column + 20])
                out = drain.put(out, library.array(part), row, column)
        out = drain.finish(out)
    np.testing.assert_array_equal(home.to_numpy(out), x)


@pytest.mark.parametrize("places", [[], [0], [4, 6, 29], list(range(30))])
def test_places_are_marked(ops, places):
    found = ops.to_numpy(ops.marked(np.array(places, np.int64), 30))
    expected = np.isin(np.arange(30), places)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.bool_


def test_sizes_are_fixed_upward(ops):
    sizes = [ops.fixed_size(count) for count in range(1, 200)]
    assert all(size >= count for count, size in enumerate(sizes, 1))
    assert len(set(sizes)) == (5 if ops.name == "jax" else 199)
