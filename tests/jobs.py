"""A job of a distributed run."""

from gsnn_edges.scale.job import Job

SETTINGS = {
    "observations": "0",
    "score": "magnitude",
    "method": "spearman",
    "ties": "average",
    "layers": "pooled",
    "n_components": None,
    "precision": "float32",
    "top": None,
    "threshold": None,
}
JOB = Job(
    store="seen.zarr",
    out="W.zarr",
    nodes=10,
    settings=SETTINGS,
    row_chunk=3,
    resume=True,
    coordinator=None,
    processes=1,
    process=None,
    start_timeout=300.0,
)
