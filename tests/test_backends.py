"""The laws of every primitive, on every backend, against NumPy, the generic one or a loop."""

import os
import threading
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from columns import kinds, matrix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from libraries import each_library, require
from watching import compilations

from gsnn_edges import backends, cross_correlation
from gsnn_edges.backends import numpy_backend
from gsnn_edges.backends.generic_backend import sum_of_sums, windows
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS, NumpyBackend

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "uint32", "int64"]


@pytest.fixture
def ops(library):
    if library.jit:
        pytest.skip("primitives are compiled inside the functions that use them")
    return backends.of(library.array(np.zeros(1, np.float32)))


def block(length=500):
    return np.ascontiguousarray(matrix(*kinds(length)).T)


# Sorts, runs, sums.


@each_library("length", [1, 2, 500], fixed=500)
def test_sort_rows_is_the_stable_argsort(ops, library, length):
    x = block(length)
    keys, order = ops.sort_rows(library.array(x))
    expected = np.argsort(x, axis=1, kind="stable")
    np.testing.assert_array_equal(ops.to_numpy(order), expected)
    ties = np.diff(np.take_along_axis(x, expected, axis=1), axis=1) == 0
    np.testing.assert_array_equal(np.diff(ops.to_numpy(keys).astype(float), axis=1) == 0, ties)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sort_of_numpy_gives_its_stable_order(dtype):
    x = (30 * np.random.default_rng(0).standard_normal((4, 700))).astype(np.int64).astype(dtype)
    keys, order = NumpyBackend().sort_rows(x)
    np.testing.assert_array_equal(order, np.argsort(x, axis=1, kind="stable"))
    assert (keys[:, 1:] >= keys[:, :-1]).all()


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(1), st.integers(1, 50)),
        elements=st.floats(width=32, allow_nan=False),
    )
)
def test_keys_of_numpy_compare_as_their_values(x):
    keys, order = NumpyBackend().sort_rows(x)
    expected = np.argsort(x, axis=1, kind="stable")
    np.testing.assert_array_equal(order, expected)
    values = np.take_along_axis(x, expected, axis=1)
    np.testing.assert_array_equal(keys[:, 1:] > keys[:, :-1], values[:, 1:] > values[:, :-1])


@each_library("share", [0.0, 0.1, 0.9, 1.0], fixed=0.1)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_run_bounds_hold_each_element(ops, library, share, dtype):
    first = np.random.default_rng(0).random((4, 300)) < share
    keys = (np.cumsum(first, axis=1) - 7).astype(dtype)
    keys[:, :2] = keys[:, 1:2]
    start, stop = (ops.to_numpy(bound) for bound in ops.run_bounds(library.array(keys)))
    for row, low, high in zip(keys, start, stop, strict=True):
        np.testing.assert_array_equal(low, np.searchsorted(row, row))
        np.testing.assert_array_equal(high, np.searchsorted(row, row, side="right"))


@pytest.mark.parametrize("dtype", ["bool", "uint16", "uint32", "uint64"])
def test_runs_of_dtypes_that_torch_does_not_search(dtype):
    require("torch")
    ops, keys = backends.load("torch"), np.array([[0, 0, 1, 1, 1]]).astype(dtype)
    start, stop = ops.run_bounds(ops.adopt(keys))
    np.testing.assert_array_equal(start, [[0, 0, 2, 2, 2]])
    np.testing.assert_array_equal(stop, [[2, 2, 5, 5, 5]])


def test_scatter_rows_undoes_the_sort(ops, library):
    x = library.array(block())
    _, order = ops.sort_rows(x)
    sorted_values = ops.xp.sort(x, axis=1)
    np.testing.assert_array_equal(ops.to_numpy(ops.scatter_rows(order, sorted_values)), block())


@each_library("shape", [(7,), (3, 7), (2, 3, 7)], fixed=(2, 3, 7))
def test_reordered_takes_the_last_axis_in_another_order(ops, library, shape):
    rng = np.random.default_rng(0)
    x, order = rng.standard_normal(shape).astype(np.float32), rng.permutation(7)
    found = ops.reordered(library.array(x), library.array(order))
    np.testing.assert_array_equal(ops.to_numpy(found), x[..., order])


@each_library("columns", [1, 7, 400], fixed=7)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_sum_by_key_equals_bincount(ops, library, columns, dtype):
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, (5, columns)).astype(np.int32)
    weights = rng.integers(0, 4, columns).astype(dtype)
    sums = ops.to_numpy(ops.sum_by_key(library.array(keys), library.array(weights), 50))
    expected = [np.bincount(row, weights, minlength=50) for row in keys]
    np.testing.assert_array_equal(sums, expected)
    assert sums.dtype == dtype


# Rows in blocks, over threads.


@each_library("shape", [(5, 7), (70, 30), (700, 300), (3, 200)], fixed=(70, 30))
@pytest.mark.parametrize("transposed", [False, True])
def test_map_rows_sees_every_row_once_and_whole(ops, library, shape, transposed, monkeypatch):
    for module in ("generic_backend", "numpy_backend"):
        monkeypatch.setattr(f"gsnn_edges.backends.{module}.BLOCK_ELEMENTS", 500)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rows = library.array(np.ascontiguousarray(x.T)).T if transposed else library.array(x)

    def less_row_start(block, row, *, ops, dtype):
        return block - block[:, :1] + row

    row = np.arange(shape[1], dtype=np.float32)
    found = ops.map_rows(less_row_start, rows, "float32", library.array(row))
    np.testing.assert_array_equal(ops.to_numpy(found), x - x[:, :1] + row)


@pytest.mark.parametrize("view", ["backwards", "every second", "expanded", "F"])
def test_map_rows_takes_any_view_of_numpy(view):
    x = np.arange(60_000, dtype=np.float32).reshape(60, 1000)
    x = {
        "backwards": x[::-1, ::-1],
        "every second": x[::2, ::2],
        "expanded": np.broadcast_to(x[:, :1], x.shape),
        "F": np.asfortranarray(x),
    }[view]

    def checked(block, *, ops, dtype):
        assert block.flags.c_contiguous
        return block

    found = NumpyBackend().map_rows(checked, x, "float32")
    np.testing.assert_array_equal(found, x)
    assert found.ctypes.data % 64 == 0  # where JAX takes it over without a copy


@pytest.mark.parametrize("count", [1, 2])
def test_blocks_fit_the_cache_and_the_threads_share_them(count, monkeypatch):
    monkeypatch.setattr(numpy_backend, "allowed_threads", lambda: count)
    shapes, workers, both = [], set(), threading.Barrier(count, timeout=10)

    def look(block, *, ops, dtype):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            both.wait()
        shapes.append(block.shape)
        return block

    NumpyBackend().map_rows(look, np.zeros((1000, 1820), np.float32), "float32")
    assert max(rows * length for rows, length in shapes) <= BLOCK_ELEMENTS
    assert len(workers) == count
    # 144 rows fit a block; eight tasks of 125 leave no thread idle.
    assert count == 1 or {rows for rows, _ in shapes} == {125}


@pytest.mark.parametrize("limit", ["1", "2"])
def test_an_error_in_a_block_comes_back(limit, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)

    def fail(block, *, ops, dtype):
        raise ValueError("this block")

    with pytest.raises(ValueError, match="this block"):
        NumpyBackend().map_rows(fail, np.zeros((4, BLOCK_ELEMENTS), np.float32), "float32")


@pytest.mark.parametrize(
    ("limit", "expected"), [("1", 1), ("10000", None), ("0", None), ("", None), ("x", None)]
)
def test_the_variable_may_ask_for_fewer_threads(limit, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    everything = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    assert numpy_backend.allowed_threads() == (expected or everything)


@given(st.integers(0, 500), st.integers(1, 600))
def test_windows_cover_the_range_by_one_size(count, limit):
    found = list(windows(count, limit))
    covered = {index for start, stop in found for index in range(start, stop)}
    assert covered == set(range(count))
    assert len({stop - start for start, stop in found}) == (1 if count else 0)
    assert all(stop - start <= limit for start, stop in found)
    assert len(found) == -(-count // limit)


# Products.


@each_library("length", [1, 33, 5000], fixed=5000)
def test_matmul_is_true_float32(ops, library, length):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, length)).astype(np.float32) for n in (7, 9))
    found = ops.to_numpy(ops.matmul(library.array(a), library.array(b)))
    expected = a.astype(float) @ b.astype(float).T
    # bfloat16 or TF32 would be off by 1e-3 of the length.
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * length**0.5)
    assert found.dtype == np.float32


def test_a_product_of_equal_terms_keeps_its_digits(ops, library):
    x = np.full((2, 100_000), 0.1, np.float32)
    found = ops.to_numpy(ops.matmul(library.array(x), library.array(x)))
    np.testing.assert_allclose(found, x.shape[1] * float(x[0, 0]) ** 2, rtol=2e-6)


@given(st.integers(1, 3000), st.integers(1, 9))
def test_stretches_cover_the_range_and_no_running_sum_is_long(length, limit):
    values, spans, terms = np.arange(length), [], []

    def add(total, start, stop):
        spans.append((start, stop))
        terms.append(1 if total is None else terms[-1] + 1)
        return values[start:stop].sum(keepdims=True) + (0 if total is None else total)

    assert sum_of_sums(add, length, limit) == values.sum()
    assert max(terms) <= 32
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert max(stop - start for start, stop in spans) <= limit


# How arrays come, lie and go.


@each_library("span", [(0, 30), (3, 9), (29, 30), (4, 4)], fixed=(3, 9))
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_columns_become_rows(ops, library, span, dtype):
    x = np.arange(600).reshape(20, 30).astype(dtype)
    found = ops.columns_as_rows(library.array(x), *span)
    # Of this library, or what ranks its arrays.
    assert backends.of(found).name in (ops.name, ops.ranker().name)
    np.testing.assert_array_equal(np.asarray(found), x[:, slice(*span)].T)


def test_write_puts_blocks_in_place(ops, library):
    out = ops.empty((4, 5), ops.xp.float32)
    for row in (0, 2):
        for column in (0, 2):
            value = np.full((2, 3), 10 * row + column, np.float32)
            out = ops.write(out, library.array(value), row, column)
    expected = np.array([[0, 0, 2, 2, 2]] * 2 + [[20, 20, 22, 22, 22]] * 2)
    np.testing.assert_array_equal(ops.to_numpy(out), expected)


def test_arrays_move_to_a_library_its_host_and_back(ops, library):
    x = block()
    np.testing.assert_array_equal(ops.to_numpy(ops.take_over(x.copy())), x)
    assert ops.host().name == ops.name
    np.testing.assert_array_equal(ops.host().to_numpy(backends.move(ops.adopt(x), ops.host())), x)
    for name in ("numpy", "torch", "jax"):
        require(name)
        other = backends.load(name)
        np.testing.assert_array_equal(other.to_numpy(backends.move(library.array(x), other)), x)
    free = ops.free_bytes()
    assert free is None or free > 0


@each_library("places", [[], [0], [4, 6, 29], range(30)], fixed=[4, 6, 29])
def test_places_are_marked(ops, places):
    found = ops.to_numpy(ops.marked(np.array(places, np.int64), 30))
    np.testing.assert_array_equal(found, np.isin(np.arange(30), places))
    assert found.dtype == np.bool_


def test_sizes_are_fixed_upward(ops):
    sizes = [ops.fixed_size(count) for count in range(1, 200)]
    assert all(size >= count for count, size in enumerate(sizes, 1))
    assert len(set(sizes)) == (5 if ops.name == "jax" else 199)


# Names, devices, and the user's own check.


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("cupy", None, "backend must be one of 'numpy', 'torch', 'jax', 'generic'; got 'cupy'"),
        ("numpy", "cuda", "device must be None or 'cpu'"),
        ("generic", 3, "device must be None or 'cpu'"),
        ("torch", "nonsense", "device='nonsense' must be a device that this torch can use"),
        ("jax", "cpu:99", "device='cpu:99': JAX finds cpu:0"),
        ("jax", "nonsense", "device='nonsense': JAX finds"),
    ],
)
def test_a_missing_backend_or_device_is_an_error(name, device, message):
    if name in ("torch", "jax"):
        require(name)
    with pytest.raises(ValueError, match=message):
        backends.load(name, device)
    with pytest.raises(TypeError, match="ops must be a backend; got 'torch': load it first"):
        backends.move(np.zeros(3), "torch")


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("name", list(backends.BACKENDS))
def test_who_ranks(name, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    ranks_itself = path == "device" or name in ("numpy", "generic")
    assert backends.load(name).ranker().name == (name if ranks_itself else "numpy")


@pytest.mark.parametrize(
    ("primitive", "broken"),
    [
        ("sort_rows", lambda self, x: (x, x.argsort(axis=1)[:, ::-1])),
        ("scatter_rows", lambda self, order, values: values),
        ("run_bounds", lambda self, keys: (keys * 0, keys * 0)),
        ("matmul", lambda self, a, b: (a.astype("f2") @ b.astype("f2").T).astype("f4")),
    ],
)
def test_a_broken_primitive_is_found(primitive, broken, monkeypatch):
    monkeypatch.setattr(NumpyBackend, primitive, broken)
    kept = {finding.law: finding.kept for finding in backends.check("numpy")}
    assert not any(value for law, value in kept.items() if law.startswith(primitive))


# torch.


@pytest.fixture
def torch():
    require("torch")
    import torch

    yield torch
    for scope in (("generic", "all"), *SCOPES):
        torch._C._set_fp32_precision_setter(*scope, "none")
    torch.set_float32_matmul_precision("highest")


SCOPES = [(scope, op) for scope in ("cuda", "mkldnn") for op in ("all", "matmul")]


def precisions(torch, *, legacy=False):
    """What is at work in each scope, and what the older interface says."""
    each = [torch._C._get_fp32_precision_getter(*scope) for scope in SCOPES]
    if not legacy:
        return each
    return [*each, torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32]


def multiply(torch):
    """A product of ours in each library's setting; CUDA itself is not needed for that."""
    from gsnn_edges.backends.torch_backend import full_precision

    x = torch.randn(30, 40)
    backends.of(x).matmul(x, x)
    for device in ("cpu", "cuda"):
        with full_precision(device):
            library = torch.backends.cuda if device == "cuda" else torch.backends.mkldnn
            assert library.matmul.fp32_precision == "ieee"


def assert_stays(torch, first, *later, legacy=False):
    """A product changes neither what was set, nor what that is after each later setting."""

    def afterwards(call):
        first()
        call(torch)
        found = [precisions(torch, legacy=legacy)]
        for change in later:
            change()
            found.append(precisions(torch, legacy=legacy))
        return found

    assert afterwards(multiply) == afterwards(lambda torch: None)


@pytest.mark.parametrize("later", ["ieee", "tf32", "none"])
@pytest.mark.parametrize("everywhere", ["none", "ieee", "tf32"])
@pytest.mark.parametrize("library", ["none", "ieee", "tf32"])
@pytest.mark.parametrize("products", ["none", "ieee", "tf32"])
def test_what_a_user_set_stays_and_what_it_followed_it_follows(
    torch, everywhere, library, products, later
):
    def set_each(**values):
        for name, (operation, value) in product(("cuda", "mkldnn"), values.items()):
            torch._C._set_fp32_precision_setter(name, operation, value)

    def set_all(value):
        torch.backends.fp32_precision = value

    def first():
        set_all(everywhere)
        set_each(all=library, matmul=products)

    assert_stays(torch, first, partial(set_all, later), partial(set_each, all=later))


@pytest.mark.parametrize("legacy", ["highest", "high", "medium"])
@pytest.mark.parametrize("later", ["highest", "high"])
def test_settings_of_the_older_interface_stay(torch, legacy, later):
    change = torch.set_float32_matmul_precision
    assert_stays(torch, partial(change, legacy), partial(change, later), legacy=True)


def test_a_setting_comes_back_after_an_error(torch):
    from gsnn_edges.backends.torch_backend import full_precision

    before = precisions(torch)
    with pytest.raises(RuntimeError, match="stop"), full_precision("cpu"):
        raise RuntimeError("stop")
    assert precisions(torch) == before


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("by", ["name", "the older interface"])
def test_a_lower_precision_is_lifted_around_a_product(torch, by, path, monkeypatch):
    from torch.overrides import TorchFunctionMode

    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    monkeypatch.setattr(numpy_backend, "_LENT_PRODUCTS", 0)
    library, at_work = torch.backends.mkldnn.matmul, []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if "mm" in function.__name__ or "matmul" in function.__name__:
                at_work.append(library.fp32_precision)
            return function(*args, **(kwargs or {}))

    if by == "name":
        library.fp32_precision = "bf16"
    else:
        torch.set_float32_matmul_precision("medium")
    a = torch.randn(50, 6)
    with Watch():
        cross_correlation(a, a)
    assert set(at_work) == {"ieee"}
    assert library.fp32_precision == "bf16"


@pytest.mark.parametrize("everywhere", ["none", "tf32", "bf16"])
@pytest.mark.parametrize(("slow", "there"), [(True, True), (True, False), (False, True)])
def test_products_of_onednn_and_mkl_are_true_float32(torch, everywhere, slow, there, monkeypatch):
    monkeypatch.setattr("gsnn_edges.backends.torch_backend._mkl_is_slow", lambda: slow)
    monkeypatch.setattr("gsnn_edges.backends.torch_backend._has_onednn", lambda: there)
    torch.backends.fp32_precision = everywhere
    a, b = (torch.rand(n, 3000, generator=torch.Generator().manual_seed(n)) for n in (8, 9))
    for x, y in ((a, b), (a[:, 3:2900], b[:, 3:2900])):
        found = backends.of(x).matmul(x, y)
        np.testing.assert_allclose(found, x.double() @ y.double().T, rtol=1e-6)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\n", True),
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 25\n", False),
        ("vendor_id\t: GenuineIntel\ncpu family\t: 26\n", False),
        ("", False),
        (None, False),
    ],
)
def test_mkl_is_slow_on_zen_5_and_later(torch, cpuinfo, expected, monkeypatch):
    from gsnn_edges.backends import torch_backend

    def read(path):
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read)
    assert torch_backend._mkl_is_slow.__wrapped__() is expected


def test_torch_shares_what_it_can_and_copies_what_it_cannot(torch):
    ops, x = backends.load("torch"), np.zeros(3)
    locked = np.arange(6.0).reshape(2, 3)
    locked.flags.writeable = False
    assert ops.adopt(x).data_ptr() == x.ctypes.data
    for view in (locked, locked.T, np.arange(6.0)[::-1], np.broadcast_to(x, (2, 3))):
        np.testing.assert_array_equal(ops.adopt(view).numpy(), view)
    t = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    assert not ops.adopt(t).requires_grad
    np.testing.assert_array_equal(ops.to_numpy(t), np.ones(3, np.float32))


# JAX.


@pytest.fixture
def jax():
    require("jax")
    import jax

    return jax


@pytest.mark.parametrize("setting", ["bfloat16", "tensorfloat32", "highest"])
def test_a_users_low_precision_does_not_reach_the_product_of_jax(jax, setting):
    a, b = (np.random.default_rng(s).standard_normal((9, 2000), np.float32) for s in (0, 1))
    ops = backends.load("jax")
    with jax.default_matmul_precision(setting):
        text = jax.jit(ops.matmul).lower(a, b).as_text()
        found = ops.matmul(*map(jax.numpy.asarray, (a, b)))
    assert "precision = [HIGHEST, HIGHEST]" in text
    np.testing.assert_allclose(found, a.astype(float) @ b.astype(float).T, rtol=0, atol=2e-4)


@pytest.mark.parametrize("length", [1, 257, 256 * 64 + 300])
@pytest.mark.parametrize("limit", [100, 256, 2048])
def test_long_products_of_jax_equal_those_of_float64(jax, length, limit):
    from gsnn_edges.backends.jax_backend import long_product

    a, b = (np.random.default_rng(n).standard_normal((n, length)) for n in (4, 5))
    a, b = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (a, b))
    found = long_product(jax.numpy.asarray(a), jax.numpy.asarray(b), limit)
    np.testing.assert_allclose(found, a.astype(float) @ b.T.astype(float), rtol=0, atol=1e-6)
    program = long_product.lower(a, b, limit).compile()
    loops = [line for line in program.as_text().splitlines() if " while(" in line]
    # No bound of a loop is asked for as it runs.
    assert [loop for loop in loops if "known_trip_count" not in loop] == []


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x[:, 5:9],
        lambda x: x[::3],
        lambda x: x[:, :1].expand(20, 30),
        lambda x: x.flatten()[1:],
        lambda x: x.requires_grad_(),
        lambda x: x[:0],
    ],
    ids=["whole", "transposed", "columns", "every third", "expanded", "offset", "grad", "empty"],
)
def test_any_torch_tensor_comes_to_jax_and_is_nobody_elses(jax, torch, view):
    x = view(torch.randn(20, 30))
    expected = x.detach().clone().numpy()
    found = backends.move(x, backends.load("jax"))
    with torch.no_grad():
        x.untyped_storage().fill_(7)
    np.testing.assert_array_equal(found, expected)


def test_jax_writes_and_takes_over_without_a_copy(jax):
    ops = backends.load("jax")
    out = ops.empty((100, 100), np.float32)
    place = out.unsafe_buffer_pointer()
    out = ops.write(out, jax.numpy.ones((10, 100)), 5, 0)
    assert (out.unsafe_buffer_pointer(), float(out.sum())) == (place, 1000)
    x = NumpyBackend().map_rows(lambda x, **_: x, np.ones((9, 9), np.float32), "float32")
    copy, shared = ops.adopt(x), ops.take_over(x)
    assert shared.unsafe_buffer_pointer() == x.ctypes.data
    x[:] = 7
    np.testing.assert_array_equal(copy, np.ones((9, 9)))


def test_columns_of_jax_are_views_of_the_host_or_one_copy(jax, monkeypatch):
    ops, x = backends.load("jax", jax.devices()[0]), jax.numpy.arange(12.0).reshape(3, 4)
    rows, half = (ops.columns_as_rows(y, 1, 3) for y in (x, x.astype("bfloat16")))
    assert rows.base is not None
    assert half.dtype == "bfloat16"
    np.testing.assert_array_equal(ops.to_numpy(half), rows)
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    for found in (rows, ops.columns_as_rows(x, 1, 3)):
        np.testing.assert_array_equal(found, [[1, 5, 9], [2, 6, 10]])


@pytest.mark.parametrize("path", ["auto", "device"])
def test_nothing_is_compiled_again_for_a_second_call_or_a_last_chunk(jax, path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    a, g = (np.random.default_rng(s).standard_normal((64, 47), np.float32) for s in (0, 1))
    with compilations() as compiled:
        cross_correlation(a[:, :10], g, backend="jax", row_chunk=10)
        first = len(compiled)
        cross_correlation(a[:, :20], g, backend="jax", row_chunk=10)
        # The result has another shape; nothing else may be new.
        longer = len(compiled)
        cross_correlation(a[:, 7:27], g, backend="jax", row_chunk=10)
    assert len(compiled) == longer <= first + 2
    assert first > 2 if path == "device" else longer == 0


class Gpu:
    """A device of JAX, by its account."""

    platform = "gpu"

    def __init__(self, **stats):
        self.memory_stats = lambda: stats


def test_what_a_gpu_of_jax_is_asked(jax):
    from gsnn_edges.backends.jax_backend import JaxBackend

    assert JaxBackend(device=Gpu(bytes_limit=75, bytes_in_use=4)).free_bytes() == 71
    assert JaxBackend(device=Gpu()).free_bytes() is None
    assert JaxBackend(device=Gpu()).host().device == jax.devices("cpu")[0]
    # Fewer products in one go on a CPU, where XLA adds them up one after another.
    assert [JaxBackend(device=d).product_length() for d in (Gpu(), None)] == [2048, 256]
