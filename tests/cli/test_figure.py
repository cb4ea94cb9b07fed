"""Pictures from the command line: what was drawn is read, and what cannot be is found out first."""

import html
import sys

import matplotlib.image
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence, plots

INFER = ("infer", "--model", "tiny:model", "--weights", "state.pt", "--x", "data.npz:x")
INFER = (*INFER, "--y", "data.npz:y", "--edges", "held_out.csv")
EVALUATE = ("evaluate", "W.npy", "--names", "names.txt", "--edges", "held_out.csv")
EVALUATE = (*EVALUATE, "--known", "known.csv")


@pytest.fixture
def drawn(monkeypatch):
    """The axes that are saved, while they are saved all the same."""
    seen, save = [], plots.save

    def keep(ax, path):
        seen.append(ax)
        return save(ax, path)

    monkeypatch.setattr(plots, "save", keep)
    return seen


@pytest.mark.usefixtures("folder")
def test_a_heatmap_shows_w_with_known_and_held_out_edges(drawn, run, problem):
    shown = run(*INFER, "--figure", "W.png", "--evidence", "e.npz")
    assert shown.exit_code == 0, shown.output
    assert "figure: W.png\n" in shown.stdout
    evidence = EdgeEvidence.load("e.npz")
    order = plots.cluster_order(evidence)
    image = drawn[0].images[0].get_array()
    off = ~np.eye(50, dtype=bool)
    assert_array_equal(image.data[off], evidence.W[np.ix_(order, order)][off].astype(float))
    known, held_out = drawn[0].lines
    assert len(known.get_xdata()) == problem.known_edges.shape[1]
    targets, sources = held_out.get_data()
    assert_array_equal(order[np.stack([sources, targets])], problem.test_edges)
    assert matplotlib.image.imread("W.png").shape[1] == 3.4 * 300


@pytest.mark.usefixtures("folder")
def test_a_network_shows_the_strongest_new_edges(drawn, run):
    assert run(*INFER, "--figure", "net.svg", "--picture", "network", "-q").exit_code == 0
    new = [one for one in drawn[0].patches if one.get_gid().startswith("new")]
    assert len(new) == 20
    with open("net.svg") as file:
        assert html.escape(new[0].get_gid()) in file.read()


@pytest.mark.usefixtures("folder")
def test_a_histogram_counts_the_ranks(drawn, run):
    shown = run(*EVALUATE, "--figure", "ranks.pdf")
    assert "figure: ranks.pdf\n" in shown.stdout
    assert sum(bar.get_height() for bar in drawn[0].containers[0]) == 18
    with open("ranks.pdf", "rb") as file:
        assert file.read(5) == b"%PDF-"


@pytest.mark.usefixtures("folder")
def test_a_curve_of_hits(drawn, run):
    assert run(*EVALUATE, "--figure", "hits.png", "--picture", "hits", "-q").exit_code == 0
    assert drawn[0].lines[0].get_ydata()[-1] == 1
    assert drawn[0].get_xlabel() == "k"


@pytest.mark.parametrize("call", [INFER, EVALUATE])
@pytest.mark.parametrize(
    ("figure", "phrase"),
    [
        ("W.gif", "--figure must end in .png, .pdf, .svg"),
        ("nowhere/W.png", "--figure must lie in a folder that is there"),
    ],
)
def test_a_picture_that_cannot_be_written_is_found_out_first(call, figure, phrase, refused):
    assert phrase in refused(*call, "--figure", figure)


@pytest.mark.usefixtures("folder")
def test_a_missing_library_is_found_out_first(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = refused(*EVALUATE, "--figure", "W.png", code=1)
    assert said.endswith("pip install 'gsnn-edges[plots]'")
