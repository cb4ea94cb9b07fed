"""Axes, their settings, and files that are whole or absent."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.plots import blank_axes, save
from gsnn_edges.plots.style import SERIES, STYLE, drawing, legend_above


def luminance(colour):
    """Relative luminance by WCAG 2."""
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_new_axes_have_column_width_and_legible_text():
    with drawing(None) as axes:
        axes.set_xlabel("x")
        assert {name: plt.rcParams[name] for name in STYLE} == STYLE
    assert_array_equal(axes.figure.get_size_inches(), [3.4, 2.5])
    texts = [axes.xaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
    assert min(text.get_fontsize() for text in texts) >= 7
    assert axes.figure.number in plt.get_fignums()


def test_given_axes_are_drawn_on_and_no_figure_is_made():
    ax = plt.figure().subplots()
    with drawing(ax) as axes:
        assert axes is ax
    assert len(plt.get_fignums()) == 1


def test_blank_axes_are_not_pyplots():
    ax = blank_axes(2, 3)
    assert_array_equal(ax.figure.get_size_inches(), [2, 3])
    assert plt.get_fignums() == []


def test_legend_lies_above_the_axes():
    ax = blank_axes()
    ax.plot([0, 1], label="a line")
    legend_above(ax, ncols=1)
    ax.figure.canvas.draw()
    lowest = ax.get_legend().get_window_extent().y0
    assert lowest >= ax.get_window_extent().y1


def test_the_first_colours_differ_in_lightness():
    found = [luminance(colour) for colour in SERIES[:2]]
    assert abs(found[0] - found[1]) > 0.05


@pytest.mark.parametrize("wrong", [plt, [1], "ax"])
def test_what_is_no_axes(wrong):
    message = r"ax must be one matplotlib Axes.*plt.subplots"
    with pytest.raises(TypeError, match=message), drawing(wrong):
        pass
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        save(wrong, "file.png")


def test_saved_file_holds_the_picture(tmp_path):
    ax = blank_axes()
    ax.plot([0, 1])
    path = save(ax, tmp_path / "line.png", dpi=100)
    assert plt.imread(path).shape[:2] == (250, 340)
    save(ax, tmp_path / "line.pdf")
    assert (tmp_path / "line.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["line.pdf", "line.png"]


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    ax, path = blank_axes(), tmp_path / "line.png"
    path.write_bytes(b"old")

    def no_space(unfinished, **_):
        unfinished.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(ax.figure, "savefig", no_space)
    with pytest.raises(OSError, match="no space left"):
        save(ax, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("picture", ValueError, r"path must end in one of .*\.png.*got 'picture'"),
        ("picture.doc", ValueError, "path must end in one of"),
        ("no/such/folder/picture.png", FileNotFoundError, "no/such/folder"),
    ],
)
def test_path_that_cannot_be(path, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        save(blank_axes(), path)


def test_dpi_and_missing_axes():
    with pytest.raises(ValueError, match="dpi must be at least 1"):
        save(blank_axes(), "picture.png", dpi=0)
    with pytest.raises(TypeError, match="ax must be the axes that a picture gave"):
        save(None, "picture.png")


def test_import_loads_no_matplotlib():
    script = "import sys, gsnn_edges.plots; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'gsnn-edges\[plots\]'"):
        blank_axes()
