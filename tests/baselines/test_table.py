"""A comparison prints as a table, and gives frames, JSON and differences."""

import json
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.baselines import compare

NODES = 15


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    pairs = np.argwhere(~np.eye(NODES, dtype=bool)).T
    true = pairs[:, rng.permutation(pairs.shape[1])[:50]]
    good = rng.standard_normal((NODES, NODES))
    good[true[0], true[1]] += 2
    scores = {"good": good, "bad": -good}
    measured = rng.standard_normal((10, 4)), [0, 3, 4, 6]
    return compare(
        scores,
        true[:, :20],
        true,
        known_edges=true[:, 20:],
        measured=measured,
        untrained={"good": [rng.random((NODES, NODES)) for _ in range(2)]},
        n_resamples=300,
        seed=0,
    )


def test_rows_are_found_by_name(found):
    assert found["bad"] is found.rows[1]
    with pytest.raises(KeyError, match=r"'W' is no row; there are good, bad, random"):
        found["W"]


def test_dict_is_strict_json_and_holds_all_values(found):
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain == found.to_dict()
    first = plain["rows"][0]
    assert first["mrr_difference"]["value"] == found["good"].mrr_difference.value
    assert first["mrr_difference"]["interval"] == list(found["good"].mrr_difference.interval)
    assert first["ranking"] == found["good"].ranking.to_dict()
    assert plain["rows"][1]["mrr_difference"] is None
    assert len(plain["untrained"]["good"]) == 2


def test_frame_has_a_row_for_each_score(found):
    frame = found.to_frame()
    names = [row.name for row in found.rows]
    assert list(frame["name"]) == [*names, "good seed 0", "good seed 1"]
    assert (
        list(frame["kind"]) == ["given"] * 2 + ["baseline"] * (len(names) - 2) + ["untrained"] * 2
    )
    row = frame.set_index("name").loc["good"]
    ranking = found["good"].ranking
    wanted = {
        "mrr": ranking.mrr,
        "mrr_low": ranking.intervals["mrr"].low,
        "mrr_high": ranking.intervals["mrr"].high,
        "adjusted_mrr": ranking.adjusted_mrr,
        "hits@3": ranking.hits[3],
        "mean_rank": ranking.mean_rank,
        "median_rank": ranking.median_rank,
        "amri": ranking.amri,
        "auroc": ranking.separation.auroc,
        "average_precision": ranking.separation.average_precision,
        "mrr_difference": found["good"].mrr_difference.value,
        "mrr_difference_low": found["good"].mrr_difference.interval.low,
        "mrr_difference_high": found["good"].mrr_difference.interval.high,
    }
    assert_array_equal(row[list(wanted)].to_numpy(float), list(wanted.values()))
    assert_array_equal(frame["mrr_difference"][1:].to_numpy(float), np.nan)


def test_frame_without_pandas_says_what_to_install(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'gsnn-edges\[frames\]'"):
        found.to_frame()


def test_table_has_a_line_for_each_row(found):
    heading, title, *lines = str(found).splitlines()
    assert heading.startswith("20 rankings, direction tail, among ")
    assert title.split() == [
        *("mrr", "95%", "interval", "amri", "auroc", "coverage"),
        *("mrr", "difference", "95%", "interval"),
    ]
    names = [row.name for row in found.rows]
    names.insert(2, "good untrained, mean of 2")
    assert [line.split("  ")[0] for line in lines] == names
    untrained = np.mean([ranking.mrr for ranking in found.untrained["good"]])
    assert f"{untrained:.4f}" in lines[2]
    assert f"{found['good'].mrr_difference.value:+.4f}" in lines[0]
    assert {len(line) for line in lines[:1]} == {len(title)}
    assert repr(found) == str(found)


def test_difference_of_two_rows_is_paired(found):
    gap = found.difference("good", "bad")
    assert_allclose(gap.value, found["good"].ranking.mrr - found["bad"].ranking.mrr)
    assert gap.interval.low < gap.value < gap.interval.high
    none = found.difference("good", "good")
    assert (none.value, *none.interval) == (0.0, 0.0, 0.0)
