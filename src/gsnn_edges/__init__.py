"""Find the edges that a trained Graph Structured Neural Network is missing."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsnn_edges import backends, plots
    from gsnn_edges.baselines import Comparison, compare, untrained_scores
    from gsnn_edges.channels import channel_correlation
    from gsnn_edges.correlation import cross_correlation
    from gsnn_edges.evidence import EdgeEvidence
    from gsnn_edges.holdout import split_edges
    from gsnn_edges.inferer import FunctionEdgeInferer
    from gsnn_edges.layers import layer_parts
    from gsnn_edges.link_ranking import LinkRanking, evaluate_edges, mrr
    from gsnn_edges.observations import capture, capture_channels, capture_to_store
    from gsnn_edges.partial import partial_correlation
    from gsnn_edges.planning import Plan, plan
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
    from gsnn_edges.store import ObservationStore, StoredMatrix, open_matrix, open_store
    from gsnn_edges.streaming import PairsAbove, TopTargets, correlate_store
    from gsnn_edges.training import BestWeights

# Where each name lives. Loaded at first use, so that importing the package loads no library.
_HOMES = {
    "BestWeights": "training",
    "Comparison": "baselines",
    "EdgeEvidence": "evidence",
    "EdgeRecovery": "recovery",
    "FunctionEdgeInferer": "inferer",
    "LinkRanking": "link_ranking",
    "ObservationStore": "store",
    "PairsAbove": "streaming",
    "Plan": "planning",
    "StoredMatrix": "store",
    "TopTargets": "streaming",
    "adjust": "significance",
    "bootstrap_interval": "significance",
    "capture": "observations",
    "capture_channels": "observations",
    "capture_to_store": "observations",
    "channel_correlation": "channels",
    "compare": "baselines",
    "correlate_store": "streaming",
    "cross_correlation": "correlation",
    "effective_count": "significance",
    "evaluate_edges": "link_ranking",
    "fisher_z": "significance",
    "layer_parts": "layers",
    "mrr": "link_ranking",
    "null_moments": "significance",
    "open_matrix": "store",
    "open_store": "store",
    "partial_correlation": "partial",
    "permutation_test": "significance",
    "plan": "planning",
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
    "ObservationStore",
    "PairsAbove",
    "Plan",
    "StoredMatrix",
    "TopTargets",
    "adjust",
    "backends",
    "bootstrap_interval",
    "capture",
    "capture_channels",
    "capture_to_store",
    "channel_correlation",
    "compare",
    "correlate_store",
    "cross_correlation",
    "effective_count",
    "evaluate_edges",
    "fisher_z",
    "layer_parts",
    "mrr",
    "null_moments",
    "open_matrix",
    "open_store",
    "partial_correlation",
    "permutation_test",
    "plan",
    "plots",
    "rankdata",
    "recover_edges",
    "split_edges",
    "untrained_scores",
]
__version__ = version("gsnn-edges")


def __getattr__(name: str) -> Any:
    if name in ("backends", "plots"):
        return import_module(f"gsnn_edges.{name}")
    if name in _HOMES:
        return getattr(import_module(f"gsnn_edges.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
