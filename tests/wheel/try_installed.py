"""Use the installed package; `check_wheel.py` runs this in an environment of its own.

    python -I try_installed.py BACKEND...

names the backends that must work; all others must be absent and say how to install them.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import gsnn_edges
from gsnn_edges import backends, plots

A = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [3.0, 5.0]], dtype=np.float32)
G = np.array([[0.5], [0.0], [-2.0], [-2.0]], dtype=np.float32)
W = np.array([[-1.0], [0.0]], dtype=np.float32)
DATA = ("py.typed", "demo/dream4-1.csv", "demo/dream4-2.csv", "demo/ligand-receptor.csv")
LIBRARIES = {"torch", "jax"}


def main(present: list[str]) -> None:
    assert Path(gsnn_edges.__file__).is_relative_to(sys.prefix), gsnn_edges.__file__
    assert all(files("gsnn_edges").joinpath(name).is_file() for name in DATA)
    assert {name for name in LIBRARIES if find_spec(name)} == LIBRARIES & {*present}
    assert {*present} <= {*backends.available()}, backends.available()
    for name in present:
        w = gsnn_edges.cross_correlation(A, G, backend=name)
        np.testing.assert_allclose(np.asarray(w), W, atol=1e-6)
    for name in LIBRARIES - {*present}:
        said = refused(partial(gsnn_edges.cross_correlation, A, G, backend=name))
        assert "pip install" in said, said
    check_evidence()
    if not find_spec("matplotlib"):
        said = refused(partial(plots.heatmap, W @ W.T, order=None))
        assert "pip install '.[plots]'" in said, said
    check_command()


def refused(call: Callable[[], object]) -> str:
    """What a call says that needs a library which is not there."""
    try:
        call()
    except ImportError as error:
        return str(error)
    return "no error at all"


def check_evidence() -> None:
    """What stands around W needs NumPy alone."""
    a, g = np.random.default_rng(0).standard_normal((2, 60, 8))
    nodes = np.repeat(np.arange(4), 2)
    scores = gsnn_edges.channel_correlation(a, g, nodes, nodes)
    edges = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])
    _, held_out = gsnn_edges.split_edges(edges, (0.5, 0.5), seed=0)
    gsnn_edges.EdgeEvidence(scores).save("evidence.npz")
    found = gsnn_edges.EdgeEvidence.load("evidence.npz").evaluate(held_out, edges, seed=0)
    np.testing.assert_allclose(found.mrr, gsnn_edges.mrr(scores, held_out, edges))
    p = gsnn_edges.permutation_test(a, g, 20, n_resamples=19, seed=0).p
    assert 0.05 <= p.min() <= p.max() <= 1, p


def check_command() -> None:
    command = Path(sys.executable).with_name("gsnn-edges")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert version("gsnn-edges") == gsnn_edges.__version__
    assert gsnn_edges.__version__ in shown.stdout, shown.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
