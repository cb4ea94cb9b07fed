"""``python -m gsnn_edges.cli`` is the command gsnn-edges."""

import sys

from gsnn_edges.cli import start

sys.argv[0] = "gsnn-edges"
start()
