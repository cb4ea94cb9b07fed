"""Both sorts give NumPy's own stable order, for every dtype."""

import numpy as np
import pytest
from columns import kinds, matrix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gsnn_edges.backends import sorting

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "uint32", "int64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_radix_order_is_numpys(dtype):
    x = (30 * np.random.default_rng(0).standard_normal((4, 700))).astype(np.int64).astype(dtype)
    keys, order = sorting.radix_sort(sorting.ordered_keys(x))
    np.testing.assert_array_equal(order, np.argsort(x, axis=1, kind="stable"))
    np.testing.assert_array_equal(keys, np.sort(sorting.ordered_keys(x), axis=1))


@pytest.mark.parametrize("sort", [sorting.radix_sort, sorting.packed_sort])
@pytest.mark.parametrize("length", [1, 2, 3, 5000])
def test_both_sorts_agree_on_awkward_columns(sort, length):
    keys = sorting.ordered_keys(np.ascontiguousarray(matrix(*kinds(length)).T))
    found, order = sort(keys)
    np.testing.assert_array_equal(order, np.argsort(keys, axis=1, kind="stable"))
    np.testing.assert_array_equal(found, np.sort(keys, axis=1))


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(1), st.integers(1, 50)),
        elements=st.floats(width=32, allow_nan=False),
    )
)
def test_keys_compare_as_their_values(x):
    keys = sorting.ordered_keys(x)[0].astype(np.int64)
    np.testing.assert_array_equal(
        np.sign(keys[:, None] - keys),
        np.sign(np.subtract.outer(x[0], x[0], dtype=float))
        if np.isfinite(x).all()
        else np.sign((x < x.T).astype(int) - (x > x.T)),
    )


@pytest.mark.parametrize("packed", [False, True])
def test_the_trial_chooses_the_sort_and_not_the_result(packed, monkeypatch):
    x = np.random.default_rng(0).standard_normal((3, 1000)).astype(np.float32)
    calls = []
    for name in ("packed_sort", "radix_sort"):
        original = getattr(sorting, name)
        monkeypatch.setattr(
            sorting, name, lambda k, name=name, original=original: calls.append(name) or original(k)
        )
    monkeypatch.setattr(sorting, "packed_is_faster", lambda: packed)
    _, order = sorting.sort_rows(x)
    assert calls == ["packed_sort" if packed else "radix_sort"]
    np.testing.assert_array_equal(order, np.argsort(x, axis=1, kind="stable"))


def test_the_trial_gives_an_answer():
    assert sorting.packed_is_faster() in (True, False)
