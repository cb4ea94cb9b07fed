"""Scores that any evidence must beat: the graph alone, the measurements alone, no training."""

from gsnn_edges.baselines.comparison import Comparison, compare
from gsnn_edges.baselines.confirmation import EdgeConfirmation, confirm_edges
from gsnn_edges.baselines.networks import untrained_scores
from gsnn_edges.baselines.structural import structural_score

__all__ = [
    "Comparison",
    "EdgeConfirmation",
    "compare",
    "confirm_edges",
    "structural_score",
    "untrained_scores",
]
