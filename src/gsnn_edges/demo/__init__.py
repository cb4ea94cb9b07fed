"""A graph, data simulated along it, a reference GSNN trained on them, and the run of all three.

Data are simulated without torch; the network and its training load it at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gsnn_edges.demo.liver_data import liver
from gsnn_edges.demo.simulation import Problem, masked_problem, observations, simulate, tutorial
from gsnn_edges.demo.topologies import Topology, graph

if TYPE_CHECKING:
    from gsnn_edges.demo.gsnn import GSNN
    from gsnn_edges.demo.run import train

__all__ = [
    "GSNN",
    "Problem",
    "Topology",
    "graph",
    "liver",
    "masked_problem",
    "observations",
    "simulate",
    "train",
    "tutorial",
]


def __getattr__(name: str) -> Any:
    modules = {"GSNN": "gsnn", "train": "run"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"gsnn_edges.demo.{modules[name]}"), name)


def __dir__() -> list[str]:
    return __all__
