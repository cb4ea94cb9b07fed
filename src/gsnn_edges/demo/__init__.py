"""A graph, data simulated along it, a reference GSNN trained on them, and the run of all three."""

from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.simulation import Problem, simulate, tutorial
from gsnn_edges.demo.topologies import Topology, graph
from gsnn_edges.demo.training import train

__all__ = ["GSNN", "Problem", "Topology", "graph", "simulate", "train", "tutorial"]
