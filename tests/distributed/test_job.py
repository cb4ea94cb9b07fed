"""What goes from one process to another."""

from dataclasses import replace

import pytest
from jobs import JOB

from gsnn_edges.scale.job import Job


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("pooled", (0, 4)), ("mean", (0, 4)), ("last", (3, 4)), (1, (1, 2))],
)
def test_layer_pairs_that_are_read(layers, expected):
    job = replace(JOB, settings=JOB.settings | {"layers": layers})
    assert job.pair_range(4) == expected
    assert job.pooled == (layers == "pooled")


def test_a_job_survives_the_way():
    assert Job.from_json(JOB.to_json()) == JOB
    assert "\n" not in JOB.to_json()
