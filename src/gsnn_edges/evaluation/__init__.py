"""Filtered ranking of true edges among the false ones, written once for every backend."""

from gsnn_edges.evaluation.metrics import Averages, Interval
from gsnn_edges.evaluation.ranking import evaluate_edges, mrr
from gsnn_edges.evaluation.results import LinkRanking

__all__ = ["Averages", "Interval", "LinkRanking", "evaluate_edges", "mrr"]
