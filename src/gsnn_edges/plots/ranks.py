"""The histogram of ranks."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.plots.arguments import checked_ranking
from gsnn_edges.plots.style import BLUE, VERMILION, drawing, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gsnn_edges.evaluation import LinkRanking


# So many ranks find room beneath the bars.
MOST_TICKS = 8


def rank_histogram(ranking: "LinkRanking", *, bins: int = 20, ax: "Axes | None" = None) -> "Axes":
    """Draw how many queries have which rank, beside what random scores would give.

    Parameters
    ----------
    ranking : LinkRanking
        As `gsnn_edges.evaluate_edges` gives it; its realistic ranks are counted.
    bins : int
        At most so many bars. The first is of rank 1 alone; the others are of equally many whole
        ranks each, up to the largest number of candidates, and named by the first of them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are counts. The line is their expectation under random scores: a query of n candidates
        has each rank from 1 to n with probability 1 / n. A rank half-way between two bars, from a
        tie, counts for the upper one.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    TypeError, ValueError
        For another kind of ranking, or less than one bar.

    Examples
    --------
    >>> from gsnn_edges import evaluate_edges
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.array([[0.9, 0.5, 0.1], [0.2, 0.9, 0.8], [0.0, 0.0, 0.0]])
    >>> ranking = evaluate_edges(W, [[0, 1], [2, 2]], n_resamples=None)
    >>> ax = rank_histogram(ranking, ax=blank_axes())
    >>> [float(bar.get_height()) for bar in ax.containers[0]]  # one query of rank 2, one of rank 3
    [0.0, 1.0, 1.0]
    """
    queries = checked_ranking("ranking", ranking).queries
    edges = edges_of(int(queries.candidates.max()), _validation.whole_number("bins", bins, least=1))
    counts = np.histogram(queries.ranks.realistic, edges)[0]
    chance = expected_counts(queries.candidates, edges)
    # Bars of one width: on an axis of ranks that of rank 1 would hardly be seen.
    places = np.arange(len(edges)) - 0.5
    with drawing(ax) as axes:
        axes.bar(
            places[:-1],
            counts,
            width=1,
            align="edge",
            color=BLUE,
            edgecolor="white",
            linewidth=0.4,
            label=f"{len(queries.scores)} queries",
        )
        axes.stairs(chance, places, color=VERMILION, linestyle="--", label="random scores")
        axes.set(xlabel=f"rank among the candidates{grouped(edges)}", ylabel="queries")
        axes.set_xlim(places[0], places[-1])
        name_bars(axes, edges)
        axes.locator_params(axis="y", integer=True)
        legend_above(axes, ncols=2)
    return axes


def edges_of(most: int, bins: int) -> NDArray[np.float64]:
    """Give the ends of bars, half-way between ranks: that of rank 1, and at most so many more.

    >>> edges_of(9, 5)
    array([0.5, 1.5, 3.5, 5.5, 7.5, 9.5])
    """
    if bins == 1 or most == 1:
        return np.array([0.5, most + 0.5])
    step = -(-(most - 1) // (bins - 1))
    return np.append(0.5, 1.5 + step * np.arange(-(-(most - 1) // step) + 1))


def grouped(edges: NDArray[np.float64]) -> str:
    """Say how many ranks a bar has behind the first, where it is more than one."""
    step = int(edges[-1] - edges[-2])
    return f" (1, then {step} a bar)" if step > 1 and len(edges) > 2 else ""


def name_bars(axes: Any, edges: NDArray[np.float64]) -> None:
    """Name some bars by their first rank, that of rank 1 among them."""
    first = (edges[:-1] + 0.5).astype(int)
    every = -(-len(first) // MOST_TICKS)
    axes.set_xticks(range(0, len(first), every), [f"{rank:,}" for rank in first[::every]])


def expected_counts(candidates: NDArray[np.int64], edges: NDArray[Any]) -> NDArray[np.float64]:
    """Expect a count for each bar: the share of a query's ranks that fall within, summed.

    >>> expected_counts(np.array([2, 4]), np.array([0.5, 2.5, 4.5]))
    array([1.5, 0.5])
    """
    sizes, times = np.unique(candidates, return_counts=True)
    within = np.diff(np.minimum(edges, sizes[:, None] + 0.5), axis=1)
    expected: NDArray[np.float64] = (times / sizes) @ within
    return expected
