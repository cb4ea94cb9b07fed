"""Filtered ranking of true edges among the false ones, written once for every backend."""

from gsnn_edges.link_ranking.averages import Averages, Interval
from gsnn_edges.link_ranking.counting import competitors
from gsnn_edges.link_ranking.evaluation import evaluate_edges
from gsnn_edges.link_ranking.reciprocal import mrr
from gsnn_edges.link_ranking.result import LinkRanking

__all__ = ["Averages", "Interval", "LinkRanking", "competitors", "evaluate_edges", "mrr"]
