"""Sizes follow the bound, and a bound that is too low is an error that names one that will do."""

import re

import pytest

from gsnn_edges import backends
from gsnn_edges._io import parse_bytes
from gsnn_edges.scale import sizes
from gsnn_edges.scale.sizes import Job, even, largest, sizes_for

JOB = Job(
    nodes=5000,
    observations=100_000,
    parts=1,
    widest=1,
    widths=(1, 1),
    read=4,
    item=4,
    copies=1,
    unit=3000,
    line=64,
    shared=True,
    compiled=False,
)
NUMPY = backends.load("numpy")


@pytest.mark.parametrize("bound", ["100MB", "1GB", "3GB", "10GB"])
def test_what_is_chosen_fits(bound):
    bound = parse_bytes("bound", bound)
    found = sizes_for(JOB, bound, NUMPY)
    held = JOB.row_bytes if found.held else 0
    assert held + max(JOB.ranking_bytes(found.block), JOB.tile_bytes(found.tile)) < bound
    assert found.held == (bound > JOB.row_bytes)


def test_more_memory_gives_larger_tiles():
    edges = [sizes_for(JOB, bound, NUMPY).tile for bound in (10**8, 3 * 10**8, 2 * 10**9)]
    assert edges == sorted(set(edges))


def test_the_least_bound_is_named():
    with pytest.raises(ValueError, match="max_memory must hold a node of 100000") as error:
        sizes_for(JOB, 1000, NUMPY)
    least = re.search(r"give (.+) or more", str(error.value))[1]
    assert sizes_for(JOB, parse_bytes("least", least), NUMPY).block == 1


def test_a_small_device_has_small_tiles(monkeypatch):
    class Device:
        name = "elsewhere"

        def ranker(self):
            return self

        def free_bytes(self):
            return 3 * 10**8

    found = sizes_for(JOB, 10**9, Device())
    assert max(JOB.ranking_bytes(found.block), JOB.tile_bytes(found.tile)) < 1.5 * 10**8


@pytest.mark.parametrize("limit", [0, 1, 10, 49, 10**9])
def test_largest_is_that_of_a_loop(limit):
    expected = max([n for n in range(1, 51) if n * n <= limit], default=1)
    assert largest(lambda n: n * n, limit, 50) == expected


@pytest.mark.parametrize("edge", [1, 7, 1000, 1500, 5000, 10**6])
def test_tiles_are_even_and_of_whole_chunks(edge):
    found = even(edge, 5000)
    assert -(-5000 // found) == -(-5000 // min(edge, 5000))
    count = -(-found // sizes.CHUNK)
    assert found % count == 0
