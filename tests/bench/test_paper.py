"""The paper model is arithmetic, held against the same arithmetic by hand."""

from dataclasses import replace

import pytest
from numpy.testing import assert_allclose

from gsnn_edges.bench.paper import H200, Card, flop

# Everything takes a second, or the number of bytes and operations in seconds.
UNIT = Card(copy=1.0, bus=1.0, float32=1.0, tf32=1.0, bf16=1.0)


def test_operations_of_a_product():
    assert flop(3, 5, 7) == 2 * 3 * 5 * 7


@pytest.mark.parametrize(
    ("found", "by_hand"),
    [
        (UNIT.product(3, 5, 7), 210),
        (UNIT.product(3, 5, 7, "tf32"), 210),
        (UNIT.product(3, 5, 7, "bf16x3"), 630),
        (UNIT.spearman(3, 5, 7), 8 * 7 * (4 * 16 + 4 + 12) + 210),
        (UNIT.pearson(3, 5, 7), 8 * 7 * 12 + 210),
        (UNIT.naive(3, 5, 7), 8 * 7 * (96 + 4 + 48 + 16 + 24) + 210),
        (UNIT.transfer(56), 4 * 56),
        (UNIT.mrr(10), 100 * (36 + 17)),
        (UNIT.gather(10, 30), 300 * 28),
        (UNIT.passes(10, 50, 4, 5, 20), 5 * 20 * (50 + 40) * 40),
        (UNIT.channels(2, 3, 7), 12 * 7 * 80 + 2 * 6 * 6 * 7 + 36 * 12),
    ],
)
def test_bytes_and_operations(found, by_hand):
    assert_allclose(found, by_hand)


@pytest.mark.parametrize(
    ("grade", "seconds"), [("float32", 0.90), ("tf32", 0.12), ("tf32x3", 0.36), ("bf16x3", 0.18)]
)
def test_products_of_the_largest_goal_on_an_h200(grade, seconds):
    assert_allclose(H200.product(10_000, 10_000, 300_000, grade), seconds, atol=0.006)


def test_ranks_of_the_largest_goal_on_an_h200_take_a_tenth_of_a_second():
    found = H200.spearman(10_000, 10_000, 300_000) - H200.product(10_000, 10_000, 300_000)
    assert_allclose(found, 0.085 + 0.015, atol=0.001)


@pytest.mark.parametrize(("bus", "seconds"), [(0.001, 4 * 56 / 0.001), (1e9, 8 * 7 * 80 + 210)])
def test_the_slower_of_bus_and_device_counts(bus, seconds):
    found = replace(UNIT, bus=bus).spearman(3, 5, 7, bus=True)
    assert_allclose(found, seconds)
