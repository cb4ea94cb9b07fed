"""A result prints as a table, and gives frames and JSON."""

import json
import sys

import numpy as np
import pytest
import rankings
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import evaluate_edges
from gsnn_edges.evaluation import LinkRanking

NAMES = [f"node {number}" for number in range(20)]


@pytest.fixture(scope="module")
def found() -> LinkRanking:
    scores, edges, true_edges = rankings.proper_problem(0)
    return evaluate_edges(
        scores, edges, true_edges, direction="both", n_resamples=200, seed=0, node_names=NAMES
    )


def test_frame_has_a_row_for_each_ranking(found):
    frame = found.to_frame()
    scores, edges, _ = rankings.proper_problem(0)
    assert list(frame.columns) == [
        *("source", "target", "direction", "score", "candidates"),
        *("optimistic", "realistic", "pessimistic", "tie_reciprocal"),
    ]
    assert_array_equal(frame["source"], [NAMES[node] for node in np.tile(edges[0], 2)])
    assert_array_equal(frame["score"], np.tile(scores[edges[0], edges[1]], 2))
    assert_array_equal(frame["direction"], np.repeat(["tail", "head"], 40))
    assert_allclose((1 / frame["realistic"]).mean(), found.mrr, rtol=1e-12)


def test_nodes_without_names_are_numbers_in_the_frame():
    scores, edges, true_edges = rankings.proper_problem(0)
    frame = evaluate_edges(scores, edges, true_edges, n_resamples=None).to_frame()
    assert_array_equal(frame[["source", "target"]].to_numpy().T, edges)


def test_frame_without_pandas_says_what_to_install(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'gsnn-edges\[frames\]'"):
        found.to_frame()


def test_dict_is_strict_json_and_holds_all_values(found):
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain == found.to_dict()
    assert plain["micro"]["mrr"] == found.mrr
    assert plain["micro"]["hits"] == {str(k): value for k, value in found.hits.items()}
    assert plain["micro"]["intervals"]["mrr"] == list(found.intervals["mrr"])
    assert plain["macro"]["amri"] == found.macro.amri
    assert plain["separation"]["auroc"] == found.separation.auroc
    assert (plain["rankings"], plain["direction"]) == (80, "both")


def test_table_names_and_aligns_all_metrics(found):
    heading, columns, *lines = str(found).splitlines()
    assert heading.startswith("80 rankings, direction both, among ")
    assert columns.split() == ["value", "95%", "interval", "macro", "by", "chance"]
    names = ["mrr", "adjusted_mrr", "hits@1", "hits@3", "hits@10", "mean_rank", "median_rank"]
    assert [line.split()[0] for line in lines] == [*names, "amri", "auroc", "average_precision"]
    values = [float(line.split()[1]) for line in lines[:3]]
    assert_allclose(values, [found.mrr, found.adjusted_mrr, found.hits[1]], atol=5e-5)
    assert {line.index(".") for line in [lines[0], lines[-1]]} == {lines[0].index(".")}
    assert repr(found) == str(found)


def test_result_cannot_be_changed(found):
    with pytest.raises(AttributeError, match="cannot assign to field 'mrr'"):
        found.mrr = 1.0
