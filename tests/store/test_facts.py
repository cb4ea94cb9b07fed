import pytest

from gsnn_edges.store.facts import VERSION, checked_facts, facts_of, usual_unit

SIZES = {"pairs": 2, "samples": 10, "columns": 3}


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"pairs": 0}, "pairs must be"),
        ({"score": "sum"}, "score must be"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"score": "channels"}, "column_nodes must say the node of each column"),
        ({"column_nodes": [0, 1]}, "column_nodes must"),
        (
            {"nodes": 2},
            "nodes must be more than all of column_nodes; got 2, and a column",
        ),
        ({"node_names": ["x"]}, "node_names must name 3 nodes; got 1"),
        ({"edge_index": [[0], [3]]}, "edge_index"),
    ],
)
def test_facts_that_break_a_rule(change, phrase):
    with pytest.raises(ValueError, match=phrase):
        checked_facts(**(SIZES | change))


def test_the_last_unit_holds_the_rest():
    facts = checked_facts(**SIZES, unit=4)
    assert [facts.rows_of(unit) for unit in range(facts.units)] == [(0, 4), (4, 8), (8, 10)]


def test_a_unit_is_never_empty():
    assert usual_unit(10, 1 << 28, "float64") == 1


@pytest.mark.parametrize("columns", [100, 5_000, 20_000, 100_000])
def test_chunks_are_large_enough_to_read_fast(columns):
    facts = checked_facts(pairs=10, samples=10**6, columns=columns)
    assert facts.unit * facts.chunk_columns * 4 >= 1 << 16
    assert facts.unit >= 1000 or facts.unit * columns * 10 * 4 > 1 << 27
    assert facts.unit * columns * 10 * 4 <= 1 << 28


def test_what_was_written_is_read():
    facts = checked_facts(**SIZES, node_names="xyz", edge_index=[[0, 1], [2, 2]])
    attributes = {"format": "gsnn-edges observations", "format_version": VERSION}
    assert facts_of("path", attributes | {"facts": facts.as_json()}) == facts


def test_differences_are_named():
    one, other = (
        checked_facts(**SIZES, provenance={"seed": seed, "norm": "l1"}) for seed in (0, 1)
    )
    assert one.difference(one) == []
    assert one.difference(other) == ["provenance of seed"]
