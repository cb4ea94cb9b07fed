"""Correlations larger than memory or than a machine, and what they will take."""

from gsnn_edges.scale.multihost import correlate_distributed
from gsnn_edges.scale.out_of_core import correlate_store
from gsnn_edges.scale.outputs import PairsAbove, TopTargets
from gsnn_edges.scale.planning import Plan, plan

__all__ = [
    "PairsAbove",
    "Plan",
    "TopTargets",
    "correlate_distributed",
    "correlate_store",
    "plan",
]
