"""What is sent between devices, counted in the compiled programs; and ranks, exactly."""

import pytest
import scipy.stats
import shards
from numpy.testing import assert_array_equal

TARGET_SHARD = 4 * shards.OBSERVATIONS  # 13 targets, filled up to 16, over 4 devices


def test_one_all_to_all_for_each_input_and_one_ring(eight):
    assert eight.facts["collectives"]["chunk"] == {"all-to-all": 1, "collective-permute": 1}
    assert eight.facts["collectives"]["targets"] == {"all-to-all": 1}


def test_no_buffer_holds_more_than_a_device_does(eight):
    assert eight.facts["largest of"]["chunk"] <= TARGET_SHARD
    assert eight.facts["largest of"]["targets"] <= TARGET_SHARD


def test_ranking_sends_nothing(eight):
    assert eight.facts["collectives"]["ranking"] == {}


def test_what_goes_round_is_the_targets_of_a_device(eight):
    assert eight.facts["collectives"]["ring"] == {"collective-permute": 1}
    assert eight.facts["passed"] == [TARGET_SHARD]


def test_no_buffer_of_the_ring_is_larger_than_that(eight):
    assert eight.facts["largest"] == TARGET_SHARD


@pytest.mark.parametrize("name", ["rows", "rows in blocks"])
def test_ranks_are_exact(eight, name):
    # A standardized row orders and ties its values as the column does, or its ranks were wrong.
    targets = shards.inputs()[1]
    found = eight.arrays[name][: targets.shape[1]]
    varying = found.any(axis=1)
    assert_array_equal(varying, targets.max(axis=0) > targets.min(axis=0))
    ranks = scipy.stats.rankdata(found[varying], axis=1)
    assert_array_equal(ranks, scipy.stats.rankdata(targets.T[varying], axis=1))
