"""A job of a distributed run."""

from gsnn_edges.distributed.job import Job

JOB = Job(
    store="seen.zarr",
    out="W.zarr",
    method="spearman",
    ties="average",
    layers="pooled",
    directions=None,
    row_chunk=3,
    resume=True,
    coordinator=None,
    processes=1,
    process=None,
    start_timeout=300.0,
)


def test_a_job_survives_the_way():
    assert Job.from_json(JOB.to_json()) == JOB
    assert "\n" not in JOB.to_json()
