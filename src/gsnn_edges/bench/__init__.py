"""The benchmark: what this package takes, beside the limits of the processor and its peers."""

from gsnn_edges.bench.report import Row
from gsnn_edges.bench.run import run_bench

__all__ = ["Row", "run_bench"]
