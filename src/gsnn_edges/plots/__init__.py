"""Pictures of the evidence, and of how well it finds edges.

Every function draws on ``ax``, or on new axes at the width of a journal's column, and returns the
axes. matplotlib is imported at the first call.
"""

from gsnn_edges.plots.matrix import cluster_order, heatmap, score_distributions
from gsnn_edges.plots.network import edge_network
from gsnn_edges.plots.ranking import comparison, hits_curve, mrr_over_epochs, rank_histogram
from gsnn_edges.plots.style import blank_axes, save

__all__ = [
    "blank_axes",
    "cluster_order",
    "comparison",
    "edge_network",
    "heatmap",
    "hits_curve",
    "mrr_over_epochs",
    "rank_histogram",
    "save",
    "score_distributions",
]
