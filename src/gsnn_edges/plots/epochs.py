"""The MRR of validation edges over the epochs of a training."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.plots.arguments import by_name
from gsnn_edges.plots.style import GREY, MARKERS, SERIES, drawing, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def mrr_over_epochs(
    history: Any, *, chance: float | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw a score for each epoch, with the best one marked.

    Parameters
    ----------
    history : list of (epoch, score), BestCheckpoint, or mapping of name to either
        As `training.BestCheckpoint` keeps it. Epochs without a finite score leave a gap, and a
        cross at the foot of the picture.
    chance : float, optional
        What random scores reach, for example ``LinkRanking.expected_mrr``: a grey line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        The first of equally good epochs is marked, as `training.BestCheckpoint` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    TypeError, ValueError
        For what is no list of (epoch, score), or an empty one.

    Examples
    --------
    >>> from gsnn_edges.plots import blank_axes
    >>> ax = mrr_over_epochs([(0, 0.2), (5, 0.6), (10, 0.5)], chance=0.1, ax=blank_axes())
    >>> ax.lines[0].get_ydata().tolist(), ax.lines[1].get_xdata().tolist()
    ([0.2, 0.6, 0.5], [5.0])
    """
    curves = {name: checked_history(value) for name, value in by_name("history", history).items()}
    level = None if chance is None else _validation.fraction("chance", chance)
    with drawing(ax) as axes:
        for place, (name, (epochs, scores)) in enumerate(curves.items()):
            colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
            axes.plot(epochs, scores, color=colour, marker=marker, ms=2.5, label=name or "score")
            mark_best(axes, epochs, scores, colour, "best epoch" if place == 0 else None)
            failed = epochs[np.isnan(scores)]
            if len(failed):
                foot = axes.get_xaxis_transform()
                axes.plot(
                    failed,
                    np.full(len(failed), 0.02),
                    "x",
                    color=colour,
                    transform=foot,
                    clip_on=False,
                    label="no finite score",
                )
        if level is not None:
            axes.axhline(level, color=GREY, linestyle="--", label="random scores")
        axes.set(xlabel="epoch", ylabel="validation MRR")
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        legend_above(axes, ncols=3)
    return axes


def mark_best(
    axes: Any, epochs: NDArray[Any], scores: NDArray[Any], colour: str, label: str | None
) -> None:
    """Draw a ring around the first of the best epochs, where any has a score."""
    if not np.isnan(scores).all():
        best = int(np.nanargmax(scores))
        axes.plot(
            epochs[[best]],
            scores[[best]],
            "o",
            ms=8,
            mfc="none",
            mec=colour,
            mew=1.2,
            linestyle="",
            label=label,
        )


def checked_history(history: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give epochs and scores; a score that is not finite becomes nan."""
    pairs = _validation.host_array(
        "history", getattr(history, "history", history), "a list of (epoch, score)"
    )
    if pairs.size == 0:
        raise ValueError(
            "history must hold a scored epoch; got none: call BestCheckpoint.step first"
        )
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iuf":
        raise ValueError(
            f"history must be a list of (epoch, score); got {pairs.dtype} of shape {pairs.shape}: "
            "pass BestCheckpoint.history, or zip epochs and scores"
        )
    epochs, scores = pairs.astype(np.float64).T
    return epochs, np.where(np.isfinite(scores), scores, np.nan)
