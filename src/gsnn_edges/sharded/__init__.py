"""The cross-correlation over many devices, of one machine or of many, by JAX."""

from gsnn_edges.sharded.correlation import sharded_blocks, sharded_channels, sharded_correlation
from gsnn_edges.sharded.devices import device_mesh, is_sharded

__all__ = [
    "device_mesh",
    "is_sharded",
    "sharded_blocks",
    "sharded_channels",
    "sharded_correlation",
]
