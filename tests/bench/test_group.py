import pytest
from numpy.testing import assert_allclose

from gsnn_edges.bench.group import MISSING, Group, Settings
from gsnn_edges.bench.measure import MOST_CALLS, Contestant, Measurement, Resident
from gsnn_edges.bench.report import Row

FOUND = {
    "ours, numpy": Measurement((0.3,), 5_000_000),
    "ours, jax": Measurement((0.2,), None),
    "naive": Measurement((1.8, 2.0, 1.0), 0),
}


@pytest.fixture
def group():
    return Group("N=1", FOUND)


def test_row_has_time_and_memory(group):
    assert group.row("ours, numpy") == Row("ours, numpy", "N=1", 300.0, peak_mb=5.0)


def test_missing_row_says_so(group):
    assert group.row("absent", over=1.0) == Row("absent", "N=1", note=MISSING)
    assert group.versus("absent", "naive", at_most=2.0) == Row("absent", "N=1", note=MISSING)


def test_versus_divides_by_the_other(group):
    row = group.versus("naive", "ours, numpy", at_least=7.0)
    assert_allclose(row.ratio, 6)
    assert (row.reference, row.met) == ("ours, numpy", False)


def test_versus_has_no_ratio_to_what_is_missing(group):
    assert group.versus("naive", "absent").ratio is None


def test_goal_is_for_the_fastest_library(group):
    rows = group.ours("ours", ["numpy", "torch", "jax"], over=0.1, reference="limit", at_most=2.0)
    assert_allclose([row.ratio or 0 for row in rows], [3, 0, 2])
    assert [row.at_most for row in rows] == [None, None, 2.0]
    assert [row.note for row in rows] == ["", MISSING, ""]


def test_goals_are_left_out_where_they_were_not_set_for():
    bounds = {"at_most": 2.0, "at_least": 1.0, "at_most_ms": 3.0, "at_most_mb": 4.0}
    row = Group("N=1", FOUND, goals=False).row("naive", over=1.0, **bounds)
    assert row.goals == []
    assert len(Group("N=1", FOUND).row("naive", over=1.0, **bounds).goals) == 4


def test_settings_say_how_many_rounds_and_calls():
    log = []
    settings = Settings(repeats=3, budget=0.0, least=2, short=1e9)
    settings.group("N=1", {"a": Contestant(lambda: log.append("a"))})
    assert len(log) == 1 + 2 * MOST_CALLS


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_settings_time_a_group(device):
    group = Settings(device, repeats=2).group("N=1", {"a": Contestant(lambda: None)})
    assert len(group.found["a"].seconds) == 2
    assert group.goals == (device == "cpu")
    assert device == "cpu" or group.found["a"].peak_bytes is None


def test_memory_that_is_watched_by_name_is_kept_on_any_device():
    class Account(Resident):
        def reset(self):
            return 0

        def peak(self):
            return 7

    settings = Settings("cuda", repeats=1, goals=True)
    group = settings.group("N=1", {"a": Contestant(lambda: None, memory=Account())})
    assert (group.found["a"].peak_bytes, group.goals) == (7, True)
