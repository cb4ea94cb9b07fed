"""The cross-correlation over many devices, of one machine or of many, by JAX."""

from gsnn_edges.sharded.correlation import (
    correlate_channels_sharded,
    correlate_sharded,
    sharded_blocks,
    sharded_correlation,
)
from gsnn_edges.sharded.devices import device_mesh, is_sharded

__all__ = [
    "correlate_channels_sharded",
    "correlate_sharded",
    "device_mesh",
    "is_sharded",
    "sharded_blocks",
    "sharded_correlation",
]
