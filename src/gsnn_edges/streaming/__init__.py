"""Correlation of observations, into a W, neither of which need fit in memory."""

from gsnn_edges.streaming.above import PairsAbove
from gsnn_edges.streaming.correlate import correlate_store
from gsnn_edges.streaming.top import TopTargets

__all__ = ["PairsAbove", "TopTargets", "correlate_store"]
