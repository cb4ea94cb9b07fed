"""``python -m gsnn_edges.cli`` is the command gsnn-edges."""

from gsnn_edges.cli import start

start()
