"""Stretches cover the range, and their sums are sums of few terms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gsnn_edges.backends.summation import GROUP, parts, sum_of_sums


@given(st.integers(0, 5000), st.integers(1, 300))
def test_parts_cover_the_range_in_order_and_are_about_equal(length, limit):
    found = list(parts(0, length, limit))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == length
    sizes = {stop - start for start, stop in found}
    assert max(sizes) <= limit
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 3000), st.integers(1, 9))
def test_the_sum_is_the_sum_and_no_running_sum_is_long(length, limit):
    values = np.arange(length)
    terms = []

    def add(total, start, stop):
        terms.append(1 if total is None else terms[-1] + 1)
        return values[start:stop].sum(keepdims=True) + (0 if total is None else total)

    assert sum_of_sums(add, length, limit) == values.sum()
    assert max(terms) <= GROUP


def test_a_long_sum_of_equal_float32_terms_keeps_its_digits():
    values = np.full(2**16, 0.1, np.float32)

    def add(total, start, stop):
        running = values[start:stop].cumsum(dtype=np.float32)[-1:]
        return running if total is None else total + running

    exact = len(values) * float(np.float32(0.1))
    np.testing.assert_allclose(sum_of_sums(add, len(values), 64), exact, rtol=1e-6)
