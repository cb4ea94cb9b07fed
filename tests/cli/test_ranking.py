"""Questions are read once, and checked before anything is ranked."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence
from gsnn_edges.cli.cmd_evaluate import check_outputs, read_question
from gsnn_edges.cli.cmd_evaluate import metric_columns as columns
from gsnn_edges.cli.cmd_evaluate import rank_columns as ranks
from gsnn_edges.evaluation import evaluate_edges

W = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.2], [0.3, 0.2, 0.1]])


@pytest.fixture
def evidence(tmp_path):
    EdgeEvidence(W, ["a", "b", "c"], known_edges=[[0], [1]]).save(tmp_path / "e.npz")
    (tmp_path / "e.csv").write_text("source,target\na,c\n")
    (tmp_path / "k.csv").write_text("source,target\n2,1\n")
    return tmp_path


@pytest.mark.parametrize(("known", "wanted"), [(None, [[0], [1]]), ("k.csv", [[2], [1]])])
def test_known_edges_come_from_the_evidence_or_from_a_file(known, wanted, evidence):
    known = known and str(evidence / known)
    found = read_question(str(evidence / "e.npz"), str(evidence / "e.csv"), known, None)
    assert_array_equal(found.W, W)
    assert_array_equal(found.edges, [[0], [2]])
    assert_array_equal(found.known_edges, wanted)
    assert (found.node_names, found.known_count) == (["a", "b", "c"], 1)


def test_outputs_are_checked_first(tmp_path):
    check_outputs(str(tmp_path / "r.csv"), str(tmp_path / "m.json"))
    check_outputs(None, None)
    with pytest.raises(ValueError, match="--out must end in"):
        check_outputs(str(tmp_path / "r.xlsx"), None)
    with pytest.raises(FileNotFoundError, match="--metrics must lie in a folder"):
        check_outputs(None, str(tmp_path / "nowhere" / "m.json"))


def test_the_best_rank_stands_first():
    found = evaluate_edges(W, [[1, 0], [0, 1]], n_resamples=None)
    table = ranks(found)
    assert_array_equal(table["source"], [0, 1])
    assert_array_equal(table["realistic"], [1, 2])
    assert_array_equal(table["score"], [0.9, 0.1])


def test_an_interval_that_is_none_is_a_dash():
    found = evaluate_edges(W, [[1, 0], [0, 1]], n_resamples=100, seed=0)
    none = type(found.intervals["mrr"])(float("nan"), float("nan"))
    hollow = dataclasses.replace(found, intervals={"mrr": none})
    assert columns(hollow)["95% interval"][0] == "-"


def test_empty_columns_are_left_out():
    found = evaluate_edges(W, [[1, 0], [0, 1]], n_resamples=None)
    assert list(columns(found)) == ["metric", "value", "macro", "by chance"]
    assert columns(found)["value"][0] == f"{found.mrr:.4f}"
