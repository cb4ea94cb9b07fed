"""What all pictures share: axes at column width, colours, checks, files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsnn_edges import _io, _validation
from gsnn_edges.evidence import EdgeEvidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 3.4  # inches: one column of a journal
_HEIGHT = 2.5
_DPI = 300

# Okabe and Ito (2008), Color universal design: told apart by readers of every colour vision.
BLACK, GREY = "#000000", "#8c8c8c"
ORANGE, SKY, GREEN = "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
# In the order that lines take them, with a marker each: colour is never the only difference.
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK, GREY)
MARKERS = "osD^vP*X"
DASHES = ("-", "--", "-.", ":")
# Brewer (2003), Transactions in GIS 7, 81-100: one colour from white on, which falls in grey too.
COLOURS = "Purples"

_STYLE = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.dpi": _DPI,
}


@contextmanager
def drawing(ax: Any, *, height: float = _HEIGHT, fitted: bool = False) -> Iterator["Axes"]:
    """The axes to draw on, new ones for None, while the style is set.

    A new figure that is fitted ends as high as what was drawn, without empty bands.
    """
    rc_context = matplotlib("matplotlib").rc_context
    figure = None
    if ax is not None:
        _check_axes(ax)
    else:
        # Not within the context: a notebook's backend changes settings at its first figure.
        new_figure = matplotlib("matplotlib.pyplot").figure
        figure = new_figure(figsize=(WIDTH, height), layout="constrained")
    with rc_context(_STYLE):
        axes = ax if figure is None else figure.subplots()
        yield axes
        # Axes that the caller made have texts of other sizes.
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_size(_STYLE["axes.labelsize"])
        axes.tick_params(labelsize=_STYLE["xtick.labelsize"])
        if figure is not None and fitted:
            figure.draw_without_rendering()
            figure.set_figheight(figure.get_tightbbox().height + 0.1)


def blank_axes(width: float = WIDTH, height: float = _HEIGHT) -> "Axes":
    """New axes that no window shows: for scripts that write files.

    Parameters
    ----------
    width, height : float
        Of the figure, in inches.

    Returns
    -------
    matplotlib.axes.Axes
        On a figure that pyplot does not know, so that nothing needs closing.

    Raises
    ------
    ImportError
        Without matplotlib, which comes with the extra "plots".

    Examples
    --------
    >>> blank_axes().figure.get_size_inches().tolist()
    [3.4, 2.5]
    """
    figure = matplotlib("matplotlib.figure").Figure
    with matplotlib("matplotlib").rc_context(_STYLE):
        ax: Axes = figure(figsize=(width, height), layout="constrained").subplots()
    return ax


def save(ax: "Axes", path: str | os.PathLike[str], *, dpi: int = _DPI) -> Path:
    """Write the figure of some axes to a file, whole or not at all.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : str or path
        Its ending names the format: png, pdf, svg or another that matplotlib writes. An existing
        file is replaced, once the new one is complete.
    dpi : int
        Dots an inch, where the format has dots.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError, ValueError
        For something else than axes, or an ending that matplotlib does not know.
    OSError
        Where nothing can be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save(blank_axes(), Path(folder, "empty.png")).name
    'empty.png'
    """
    _check_axes(ax)
    path, dpi = Path(path), _validation.whole_number("dpi", dpi, least=1)
    figure: Any = ax.figure
    kind, known = path.suffix[1:].lower(), sorted(figure.canvas.get_supported_filetypes())
    if kind not in known:
        raise ValueError(f"path must end in one of .{', .'.join(known)}; got {str(path)!r}")
    with _io.whole(path) as unfinished, matplotlib("matplotlib").rc_context(_STYLE):
        figure.savefig(unfinished, dpi=dpi, format=kind)
    return path


def legend_above(axes: Any, *, ncols: int, centre: float = 0.5) -> None:
    """Put the legend above the axes, where it hides nothing."""
    axes.legend(loc="lower center", bbox_to_anchor=(centre, 1.0), ncols=ncols, columnspacing=1.2)


def matplotlib(module: str) -> Any:
    """Matplotlib or a part of it, or an error that says what to install."""
    return _validation.imported(module, "pictures need matplotlib", "plots")


def checked_evidence(name: str, value: Any) -> EdgeEvidence:
    """Evidence as it is, and a matrix as evidence without names."""
    evidence = value if isinstance(value, EdgeEvidence) else EdgeEvidence(value)
    if evidence.W.shape[0] == 0:
        raise ValueError(f"{name} must have a node to draw; got shape (0, 0)")
    return evidence


def node_labels(evidence: EdgeEvidence) -> list[str]:
    """Names of all nodes, or their indices where they have no names."""
    return evidence.node_names or [str(node) for node in range(evidence.W.shape[0])]


def by_name(name: str, value: Any) -> dict[str, Any]:
    """A mapping as it is, and one thing as a mapping of the empty name."""
    named = value if isinstance(value, Mapping) else {"": value}
    if not named:
        raise ValueError(f"{name} must hold something to draw; got an empty mapping")
    return {str(key): inner for key, inner in named.items()}


def _check_axes(ax: Any) -> None:
    if not isinstance(ax, matplotlib("matplotlib.axes").Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes, or None for new ones; got {type(ax).__name__}: "
            "take one of those that plt.subplots() returns"
        )
