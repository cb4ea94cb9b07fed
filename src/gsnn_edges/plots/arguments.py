"""Checks of what is to be drawn."""

from collections.abc import Mapping
from typing import Any

from gsnn_edges.evaluation import LinkRanking
from gsnn_edges.evidence import EdgeEvidence


def checked_evidence(name: str, value: Any) -> EdgeEvidence:
    """Give evidence as it is, and a matrix as evidence without names."""
    evidence = value if isinstance(value, EdgeEvidence) else EdgeEvidence(value)
    if evidence.W.shape[0] == 0:
        raise ValueError(f"{name} must have a node to draw; got shape (0, 0)")
    return evidence


def checked_ranking(name: str, value: Any) -> LinkRanking:
    """Reject what is not the result of `gsnn_edges.evaluate_edges`."""
    if not isinstance(value, LinkRanking):
        raise TypeError(
            f"{name} must be a LinkRanking; got {type(value).__name__}: pass what "
            "evaluate_edges or EdgeEvidence.evaluate gives"
        )
    return value


def by_name(name: str, value: Any) -> dict[str, Any]:
    """Give one thing, or several by their names, as several."""
    named = value if isinstance(value, Mapping) else {"": value}
    if not named:
        raise ValueError(f"{name} must hold something to draw; got an empty mapping")
    return {str(key): inner for key, inner in named.items()}


def labels_of(evidence: EdgeEvidence) -> list[str]:
    """Name every node, by its index where it has no name."""
    return evidence.node_names or [str(node) for node in range(evidence.W.shape[0])]
