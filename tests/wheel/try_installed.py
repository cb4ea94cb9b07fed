"""Use the installed package; `check_wheel.py` runs this in an environment of its own.

    python -I try_installed.py BACKEND...

names the backends that must work; all others must be absent and say how to install them.
"""

import subprocess
import sys
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
LIBRARIES = ("torch", "jax")


def main(present: list[str]) -> None:
    assert Path(gsnn_edges.__file__).is_relative_to(sys.prefix), gsnn_edges.__file__
    check_libraries(present)
    check_data()
    check_maths()
    check_evidence()
    check_pictures()
    for name in present:
        w = gsnn_edges.cross_correlation(A, G, backend=name)
        np.testing.assert_allclose(np.asarray(w), W, atol=1e-6)
    for name in set(LIBRARIES) - set(present):
        check_refusal(name)
    check_command()
    print("works:", ", ".join(present))


def check_libraries(present: list[str]) -> None:
    """Nothing is installed that was not asked for."""
    there = {name for name in LIBRARIES if find_spec(name)}
    assert there == set(LIBRARIES) & set(present), there
    assert set(present) <= set(backends.available()), backends.available()


def check_data() -> None:
    folder = files("gsnn_edges")
    assert [name for name in DATA if not folder.joinpath(name).is_file()] == []


def check_maths() -> None:
    np.testing.assert_array_equal(gsnn_edges.rankdata(A)[:, 0], [1, 2, 3.5, 3.5])
    np.testing.assert_allclose(gsnn_edges.cross_correlation(A, G), W, atol=1e-6)
    scores = np.array([[0.1, 0.9, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    edges = np.array([[0], [2]])  # one candidate, node 1, scores higher: rank 2
    np.testing.assert_allclose(gsnn_edges.mrr(scores, edges, edges), 0.5)


def check_evidence() -> None:
    """What stands around W needs NumPy alone."""
    rng = np.random.default_rng(0)
    a, g = rng.standard_normal((2, 60, 8))
    nodes = np.repeat(np.arange(4), 2)
    scores = gsnn_edges.channel_correlation(a, g, nodes, nodes)
    edges = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])
    known, held_out = gsnn_edges.split_edges(edges, (0.5, 0.5), seed=0)
    evidence = gsnn_edges.EdgeEvidence(scores, list("abcd"), known_edges=known)
    evidence.save("evidence.npz")
    again = gsnn_edges.EdgeEvidence.load("evidence.npz")
    np.testing.assert_array_equal(again.W, evidence.W)
    found = again.evaluate(held_out, edges, n_resamples=None)
    np.testing.assert_allclose(found.mrr, gsnn_edges.mrr(scores, held_out, edges))
    p = gsnn_edges.permutation_test(a, g, 20, n_resamples=19, seed=0).p
    assert 0.05 <= p.min() <= p.max() <= 1, p


def check_pictures() -> None:
    """A picture is drawn where matplotlib is, and without it the error says what to install."""
    draw = partial(plots.heatmap, W @ W.T, order=None)
    if find_spec("matplotlib"):
        assert plots.save(draw(ax=plots.blank_axes()), "heatmap.png").stat().st_size > 1000
        return
    try:
        draw()
        message = "no error at all"
    except ImportError as error:
        message = str(error)
    assert "pip install 'gsnn-edges[plots]'" in message, message


def check_refusal(backend: str) -> None:
    """A backend that is not installed says how to install it."""
    try:
        gsnn_edges.cross_correlation(A, G, backend=backend)
        message = "no error at all"
    except ImportError as error:
        message = str(error)
    assert "pip install" in message, f"backend={backend!r}: {message}"


def check_command() -> None:
    command = Path(sys.executable).with_name("gsnn-edges")
    usage, release = (
        subprocess.run([command, option], capture_output=True, text=True, check=True).stdout
        for option in ("--help", "--version")
    )
    assert "demo" in usage, usage
    assert version("gsnn-edges") in release, release
    assert gsnn_edges.__version__ == version("gsnn-edges")


if __name__ == "__main__":
    main(sys.argv[1:])
