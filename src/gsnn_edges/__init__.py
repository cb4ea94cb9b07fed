"""Find the edges that a trained Graph Structured Neural Network is missing."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsnn_edges import backends
    from gsnn_edges.baselines import Comparison, compare, untrained_scores
    from gsnn_edges.channels import channel_correlation
    from gsnn_edges.correlation import cross_correlation
    from gsnn_edges.evidence import EdgeEvidence
    from gsnn_edges.holdout import split_edges
    from gsnn_edges.inferer import FunctionEdgeInferer
    from gsnn_edges.layers import layer_parts
    from gsnn_edges.link_ranking import LinkRanking, evaluate_edges, mrr
    from gsnn_edges.observations import capture, capture_channels
    from gsnn_edges.partial import partial_correlation
    from gsnn_edges.ranks import rankdata
    from gsnn_edges.recovery import EdgeRecovery, recover_edges
    from gsnn_edges.significance import (
        adjust,
        bootstrap_interval,
        effective_count,
        fisher_z,
        null_moments,
        permutation_test,
    )
    from gsnn_edges.training import BestWeights

# Where each name lives. Loaded at first use, so that importing the package loads no library.
_HOMES = {
    "BestWeights": "training",
    "Comparison": "baselines",
    "EdgeEvidence": "evidence",
    "EdgeRecovery": "recovery",
    "FunctionEdgeInferer": "inferer",
    "LinkRanking": "link_ranking",
    "adjust": "significance",
    "bootstrap_interval": "significance",
    "capture": "observations",
    "capture_channels": "observations",
    "channel_correlation": "channels",
    "compare": "baselines",
    "cross_correlation": "correlation",
    "effective_count": "significance",
    "evaluate_edges": "link_ranking",
    "fisher_z": "significance",
    "layer_parts": "layers",
    "mrr": "link_ranking",
    "null_moments": "significance",
    "partial_correlation": "partial",
    "permutation_test": "significance",
    "rankdata": "ranks",
    "recover_edges": "recovery",
    "split_edges": "holdout",
    "untrained_scores": "baselines",
}

__all__ = [
    "BestWeights",
    "Comparison",
    "EdgeEvidence",
    "EdgeRecovery",
    "FunctionEdgeInferer",
    "LinkRanking",
    "adjust",
    "backends",
    "bootstrap_interval",
    "capture",
    "capture_channels",
    "channel_correlation",
    "compare",
    "cross_correlation",
    "effective_count",
    "evaluate_edges",
    "fisher_z",
    "layer_parts",
    "mrr",
    "null_moments",
    "partial_correlation",
    "permutation_test",
    "rankdata",
    "recover_edges",
    "split_edges",
    "untrained_scores",
]
__version__ = version("gsnn-edges")


def __getattr__(name: str) -> Any:
    if name == "backends":
        return import_module("gsnn_edges.backends")
    if name in _HOMES:
        return getattr(import_module(f"gsnn_edges.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
