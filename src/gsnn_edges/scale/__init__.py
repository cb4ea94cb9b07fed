"""Correlations larger than memory or than a machine, and what they will take."""

from gsnn_edges.scale.above import PairsAbove
from gsnn_edges.scale.calibration import Calibration, calibrate
from gsnn_edges.scale.correlate import correlate_store
from gsnn_edges.scale.multihost import correlate_distributed
from gsnn_edges.scale.planning import Plan, plan
from gsnn_edges.scale.top import TopTargets

__all__ = [
    "Calibration",
    "PairsAbove",
    "Plan",
    "TopTargets",
    "calibrate",
    "correlate_distributed",
    "correlate_store",
    "plan",
]
