"""Bytes on many devices; tests/sharded/test_program.py holds them against XLA's own account."""

import pytest

from gsnn_edges.scale.sharing import Shared


def shared(own, observations, **sizes):
    usual = {"nodes": 8 * own, "channels": 1, "length": observations, "item": 4}
    return Shared(own=own, observations=observations, **(usual | sizes))


def test_arrays_are_counted():
    found = shared(100, 5_000)
    assert found.side(100) == 4 * 100 * 5_000
    inputs, _, result, _ = found.whole()
    assert (inputs, result) == (2 * found.side(100), 4 * 100 * 800)
    chunk, targets, block, _ = found.blocks()
    assert (chunk, targets, block) == (found.side(13), 3 * found.side(100), 4 * 13 * 800)


@pytest.mark.parametrize("size", [{"channels": 3}, {"item": 8}, {"channels": 2, "length": 2_500}])
def test_more_takes_more(size):
    usual, larger = shared(100, 5_000), shared(100, 5_000, **size)
    assert sum(larger.whole()) > 1.9 * sum(usual.whole())


def test_blocks_take_less_and_ranking_is_bounded():
    found = shared(5_000, 100_000)
    assert sum(found.blocks()) < sum(found.whole()) / 1.9
    assert found.ranking(5_000) == found.ranking(50_000) <= 5 * 4 * 2**23
