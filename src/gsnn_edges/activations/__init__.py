"""Activations and gradients of a trained network's nodes, from a forward and a backward pass."""

try:
    import torch  # noqa: F401 - here, to say once what to install
except ModuleNotFoundError as error:
    raise ImportError(
        "capturing from a GSNN needs torch, which is not installed: in a clone, "
        "pip install '.[torch]'"
    ) from error

from gsnn_edges.activations.passes import ChannelObservations, capture, capture_channels
from gsnn_edges.activations.to_store import capture_to_store

__all__ = ["ChannelObservations", "capture", "capture_channels", "capture_to_store"]
