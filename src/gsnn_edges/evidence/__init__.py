"""W with its names and its making: tables, graphs, files, and several of them combined."""

from gsnn_edges.evidence.edge_evidence import EdgeEvidence
from gsnn_edges.evidence.top_pairs import ScoredEdge

__all__ = ["EdgeEvidence", "ScoredEdge"]
