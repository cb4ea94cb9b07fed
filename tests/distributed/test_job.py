"""What goes from one process to another."""

import pytest
from jobs import JOB

from gsnn_edges.distributed.job import Job
from gsnn_edges.store import open_store


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("pooled", (0, 4)), ("mean", (0, 4)), ("last", (3, 4)), (1, (1, 2))],
)
def test_layer_pairs_that_are_read(layers, expected):
    assert Job(**{**JOB.__dict__, "layers": layers}).pair_range(4) == expected


def test_facts_tell_stores_apart_and_not_processes(make_store):
    store = open_store(make_store(provenance={"model": "m"})[0])
    other = Job(**{**JOB.__dict__, "process": 0, "row_chunk": 9, "store": "elsewhere"})
    assert other.facts(store) == JOB.facts(store)
    assert JOB.facts(store)["provenance"]["model"] == "m"
    assert Job(**{**JOB.__dict__, "ties": "ordinal"}).facts(store) != JOB.facts(store)
