"""How much memory, traffic and time a correlation takes, before it is begun."""

from gsnn_edges.planning.calibration import Calibration, calibrate
from gsnn_edges.planning.sizing import Plan, plan

__all__ = ["Calibration", "Plan", "calibrate", "plan"]
