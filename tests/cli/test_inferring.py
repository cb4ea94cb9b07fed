"""The parts of infer."""

import pytest

from gsnn_edges.cli.cmd_infer import check_more_outputs as check_outputs
from gsnn_edges.cli.cmd_infer import ranked, rows_of
from gsnn_edges.evidence import ScoredEdge

EDGES = [ScoredEdge(0, 1, "a", "b", 0.5, 1), ScoredEdge(1, 0, "b", "a", 0.25, 2)]
BARE = [edge._replace(source_name=None, target_name=None) for edge in EDGES]


@pytest.mark.parametrize(("edges", "sources"), [(EDGES, ["a", "b"]), (BARE, [0, 1]), ([], [])])
def test_edges_are_a_table_by_name_or_by_index(edges, sources):
    table = ranked(edges)
    assert table["source"] == sources
    assert table["score"] == [edge.score for edge in edges]


def test_rows_are_the_table_row_by_row():
    assert rows_of(ranked(EDGES))[1] == {"rank": 2, "source": "b", "target": "a", "score": 0.25}


def test_outputs_are_checked_first(tmp_path):
    check_outputs("edges.csv", str(tmp_path / "e.npz"), "m.json")
    with pytest.raises(ValueError, match="--metrics needs --edges"):
        check_outputs(None, None, "m.json")
    with pytest.raises(ValueError, match="--evidence must end in"):
        check_outputs(None, "e.csv", None)
