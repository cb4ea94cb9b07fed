"""The curve of hits@k."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges.plots.arguments import by_name, checked_ranking
from gsnn_edges.plots.style import GREY, SERIES, drawing, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gsnn_edges.evaluation import LinkRanking

DASHES = ("-", "--", "-.", ":")
# Every k up to here, and so many beyond: what a curve of a column's width can show.
ALL_UP_TO, BEYOND = 200, 400


def hits_curve(
    ranking: "LinkRanking | Mapping[str, LinkRanking]", *, ax: "Axes | None" = None
) -> "Axes":
    """Draw the share of queries of rank k or better against k, beside random scores.

    Parameters
    ----------
    ranking : LinkRanking, or mapping of name to LinkRanking
        As `gsnn_edges.evaluate_edges` gives it; several over the same queries share the axes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Lines of hits@k by the realistic rank, as `LinkRanking.hits`, for k from 1 to the largest
        number of candidates; k is on a logarithmic axis. Where scores tie, a band runs from the
        pessimistic to the optimistic rank. The grey line is the expectation under random scores,
        the mean over the queries of min(k / candidates, 1), for the first ranking.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    TypeError, ValueError
        For another kind of ranking, or none.

    Examples
    --------
    >>> from gsnn_edges import evaluate_edges
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.array([[0.9, 0.5, 0.1], [0.2, 0.9, 0.8], [0.0, 0.0, 0.0]])
    >>> ranking = evaluate_edges(W, [[0, 1], [2, 2]], ks=[2], n_resamples=None)
    >>> ax = hits_curve(ranking, ax=blank_axes())
    >>> ax.lines[0].get_xdata().tolist(), ax.lines[0].get_ydata().tolist(), ranking.hits
    ([1, 2, 3], [0.0, 0.5, 1.0], {2: 0.5})
    """
    named = {
        name: checked_ranking("ranking", value).queries
        for name, value in by_name("ranking", ranking).items()
    }
    first = next(iter(named.values()))
    with drawing(ax) as axes:
        for place, (name, queries) in enumerate(named.items()):
            ks, colour = shown_ks(int(queries.candidates.max())), SERIES[place % len(SERIES)]
            ranks = vars(queries.ranks)
            low, middle, high = (
                share_within(ranks[kind], ks) for kind in ("pessimistic", "realistic", "optimistic")
            )
            if (low < high).any():
                axes.fill_between(ks, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
            axes.plot(
                ks,
                middle,
                color=colour,
                linestyle=DASHES[place % len(DASHES)],
                drawstyle="steps-post",
                label=name or "hits@k",
            )
        ks = shown_ks(int(first.candidates.max()))
        axes.plot(ks, chance(first.candidates, ks), color=GREY, label="random scores")
        axes.set(xscale="log", xlabel="k", ylabel="share of queries of rank ≤ k", ylim=(0, 1.03))
        axes.xaxis.set_major_formatter("{x:g}")
        legend_above(axes, ncols=3)
    return axes


def shown_ks(most: int) -> NDArray[np.int64]:
    """Give whole numbers from 1 to ``most``: all of the small ones, fewer of the large."""
    small = np.arange(1, min(most, ALL_UP_TO) + 1)
    if most <= ALL_UP_TO:
        return small
    return np.unique([*small, *np.geomspace(ALL_UP_TO, most, BEYOND).round().astype(np.int64)])


def share_within(ranks: NDArray[Any], ks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the share of ranks of at most k, for each k."""
    share: NDArray[np.float64] = np.searchsorted(np.sort(ranks), ks, side="right") / len(ranks)
    return share


def chance(candidates: NDArray[np.int64], ks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Expect hits@k of random scores, for each k."""
    sizes, times = np.unique(candidates, return_counts=True)
    total = np.zeros(len(ks))
    for size, count in zip(sizes, times, strict=True):
        total += count * np.minimum(ks / size, 1)
    return total / len(candidates)
