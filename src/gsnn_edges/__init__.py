"""Find the edges that a trained Graph Structured Neural Network is missing."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsnn_edges import backends, demo, plots, significance
    from gsnn_edges.activations import capture, capture_channels, capture_to_store
    from gsnn_edges.baselines import compare
    from gsnn_edges.channels import channel_correlation
    from gsnn_edges.correlation import cross_correlation
    from gsnn_edges.evaluation import evaluate_edges, mrr
    from gsnn_edges.evidence import EdgeEvidence
    from gsnn_edges.inferer import FunctionEdgeInferer
    from gsnn_edges.partial import partial_correlation
    from gsnn_edges.ranks import rankdata
    from gsnn_edges.scale import correlate_store
    from gsnn_edges.significance import bootstrap_interval, permutation_test
    from gsnn_edges.splits import recover_edges, split_edges
    from gsnn_edges.store import open_store

# Those after the first four are public too; they are no names of the top level.
_MODULES = (
    *("backends", "demo", "plots", "significance"),
    *("baselines", "evaluation", "layer_pairs", "scale", "splits", "store", "training"),
)
# Where each name lives. Loaded at first use, so that importing the package loads no library.
_HOMES = {
    "EdgeEvidence": "evidence",
    "FunctionEdgeInferer": "inferer",
    "bootstrap_interval": "significance",
    "capture": "activations",
    "capture_channels": "activations",
    "capture_to_store": "activations",
    "channel_correlation": "channels",
    "compare": "baselines",
    "correlate_store": "scale",
    "cross_correlation": "correlation",
    "evaluate_edges": "evaluation",
    "mrr": "evaluation",
    "open_store": "store",
    "partial_correlation": "partial",
    "permutation_test": "significance",
    "rankdata": "ranks",
    "recover_edges": "splits",
    "split_edges": "splits",
}

__all__ = [
    "EdgeEvidence",
    "FunctionEdgeInferer",
    "backends",
    "bootstrap_interval",
    "capture",
    "capture_channels",
    "capture_to_store",
    "channel_correlation",
    "compare",
    "correlate_store",
    "cross_correlation",
    "demo",
    "evaluate_edges",
    "mrr",
    "open_store",
    "partial_correlation",
    "permutation_test",
    "plots",
    "rankdata",
    "recover_edges",
    "significance",
    "split_edges",
]
__version__ = version("gsnn-edges")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"gsnn_edges.{name}")
    if name in _HOMES:
        return getattr(import_module(f"gsnn_edges.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "__version__"})
