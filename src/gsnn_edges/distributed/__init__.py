"""The correlation of a store over many machines, by JAX."""

from gsnn_edges.distributed.correlation import correlate_distributed

__all__ = ["correlate_distributed"]
