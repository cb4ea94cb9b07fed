"""The strongest pairs, without those of a node with itself."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.cli.cmd_correlate import of_matrix, of_result
from gsnn_edges.cli.cmd_correlate import write_pairs as write
from gsnn_edges.cli.tables import Observations, read_table
from gsnn_edges.scale import PairsAbove, TopTargets

W = np.array([[0.9, 0.5, -0.7], [0.1, 0.2, 0.3], [0.4, 0.4, 0.0]], np.float32)
NAMED = Observations(W, W, np.arange(3), 3, "magnitude", ["a", "b", "c"])


def triples(pairs):
    return [tuple(row) for row in zip(*(column.tolist() for column in pairs), strict=True)]


def test_top_are_the_best_others_and_ties_stand_by_number():
    found = of_matrix(W, 1, None)
    assert_array_equal(found.sources, [0, 1, 2])
    assert_array_equal(found.targets, [1, 2, 0])
    assert len(of_matrix(W, 7, None).sources) == 6


def test_threshold_counts_from_0_on_both_sides():
    assert [pair[:2] for pair in triples(of_matrix(W, None, 0.5))] == [(0, 1), (0, 2)]


def test_results_of_a_store_are_treated_alike():
    targets = np.argsort(-W, axis=1, kind="stable")[:, :2]
    gathered = TopTargets(targets, np.take_along_axis(W, targets, axis=1))
    assert triples(of_result(gathered, 1)) == triples(of_matrix(W, 1, None))
    sources, targets = np.nonzero(abs(W) >= 0.4)
    above = PairsAbove(sources, targets, W[sources, targets])
    assert triples(of_result(above, None)) == triples(of_matrix(W, None, 0.4))


@pytest.mark.parametrize(
    ("of", "source"), [(NAMED, ["a", "c", "b"]), (NAMED._replace(node_names=None), ["0", "2", "1"])]
)
def test_the_strongest_pair_stands_first(of, source, tmp_path):
    assert write(str(tmp_path / "p.csv"), of_matrix(W, 1, None), of) == 3
    table = read_table(tmp_path / "p.csv")
    assert table["source"] == source
    assert table["rank"] == ["1", "2", "3"]
    assert table["score"] == ["0.5", "0.4", "0.3"]
