"""The gsnn-edges command: one file for each of its commands, loaded when it is asked for."""

from gsnn_edges.cli.group import main

__all__ = ["main"]
