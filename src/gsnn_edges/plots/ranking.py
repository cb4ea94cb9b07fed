"""Pictures of rankings: ranks, hits at k, epochs of a training, and baselines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.baselines import Comparison
from gsnn_edges.evaluation import LinkRanking
from gsnn_edges.evaluation.results import RankedQueries
from gsnn_edges.plots.style import (
    BLACK,
    BLUE,
    DASHES,
    GREY,
    MARKERS,
    SERIES,
    VERMILION,
    by_name,
    drawing,
    legend_above,
    matplotlib,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

# Every k up to here, and so many beyond: what a curve of a column's width can show.
_ALL_UP_TO, _BEYOND = 200, 400
_LOOKS: dict[str, dict[str, Any]] = {
    "given": {"color": BLUE, "marker": "o", "label": "compared scores"},
    "untrained": {
        "color": VERMILION,
        "marker": "D",
        "mfc": "none",
        "label": "untrained seeds",
    },
    "baseline": {"color": BLACK, "marker": "s", "label": "baselines"},
}
_BESIDE: dict[str, dict[str, Any]] = {
    "single models": {"color": GREY, "linestyle": "", "marker": "."},
    "permuted values": {"color": GREY, "linestyle": "", "marker": "x"},
}
# Inches of the axes without rows, and of each row of a comparison.
_FRAME, _ROW = 0.9, 0.17


def rank_histogram(ranking: "LinkRanking", *, bins: int = 20, ax: "Axes | None" = None) -> "Axes":
    """Draw how many queries have which rank, beside what random scores would give.

    Parameters
    ----------
    ranking : LinkRanking
        As `gsnn_edges.evaluate_edges` returns it; its realistic ranks are counted.
    bins : int
        At most so many bars, of equally many whole ranks each, up to the largest number of
        candidates.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are counts. The line is their expectation under random scores, for a bar around each
        rank: a query of n candidates has each rank from 1 to n with probability 1 / n. A rank
        half-way between two bars, from a tie, counts for the upper one.

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
    queries = _ranked_queries(ranking)
    most = int(queries.candidates.max())
    step = -(-most // _validation.whole_number("bins", bins, least=1))
    edges = 0.5 + step * np.arange(-(-most // step) + 1)
    counts = np.histogram(queries.ranks.realistic, edges)[0]
    ranks = np.arange(1, most + 1)
    sizes, times = np.unique(queries.candidates, return_counts=True)
    chance = step * np.cumsum((times / sizes)[::-1])[::-1][np.searchsorted(sizes, ranks)]
    with drawing(ax) as axes:
        axes.bar(
            edges[:-1],
            counts,
            width=step,
            align="edge",
            color=BLUE,
            edgecolor="white",
            linewidth=0.4,
            label=f"{len(queries.scores)} queries",
        )
        axes.plot(ranks, chance, color=VERMILION, linestyle="--", label="random scores")
        each = f" ({step} a bar)" if step > 1 else ""
        axes.set(xlabel=f"rank among the candidates{each}", ylabel="queries")
        axes.set_xlim(edges[0], edges[-1])
        round_ticks = matplotlib("matplotlib.ticker").MaxNLocator(6, integer=True)
        later = [tick for tick in round_ticks.tick_values(1, most) if 1 < tick <= edges[-1]]
        axes.set_xticks([1, *later])
        axes.locator_params(axis="y", integer=True)
        legend_above(axes, ncols=2)
    return axes


def _ranked_queries(ranking: Any) -> RankedQueries:
    if not isinstance(ranking, LinkRanking):
        raise TypeError(
            f"ranking must be a LinkRanking; got {type(ranking).__name__}: pass what "
            "evaluate_edges or EdgeEvidence.evaluate returns"
        )
    return ranking.queries


def hits_curve(
    ranking: "LinkRanking | Mapping[str, LinkRanking]", *, ax: "Axes | None" = None
) -> "Axes":
    """Draw the share of queries of rank k or better against k, beside random scores.

    Parameters
    ----------
    ranking : LinkRanking, or mapping of name to LinkRanking
        As `gsnn_edges.evaluate_edges` returns it; several over the same queries share the axes.
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
    named = {name: _ranked_queries(value) for name, value in by_name("ranking", ranking).items()}
    with drawing(ax) as axes:
        for place, (name, queries) in enumerate(named.items()):
            ks, colour = _shown_ks(int(queries.candidates.max())), SERIES[place % len(SERIES)]
            low, middle, high = (
                np.searchsorted(np.sort(ranks), ks, side="right") / len(ranks)
                for ranks in (
                    queries.ranks.pessimistic,
                    queries.ranks.realistic,
                    queries.ranks.optimistic,
                )
            )
            if (low < high).any():
                axes.fill_between(ks, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
            dash, label = DASHES[place % len(DASHES)], name or "hits@k"
            axes.step(ks, middle, dash, where="post", color=colour, label=label)
        first = next(iter(named.values())).candidates
        ks = _shown_ks(int(first.max()))
        sizes, times = np.unique(first, return_counts=True)
        chance = np.average(np.minimum(ks / sizes[:, None], 1), axis=0, weights=times)
        axes.plot(ks, chance, color=GREY, label="random scores")
        axes.set(xscale="log", xlabel="k", ylabel="share of queries of rank ≤ k", ylim=(0, 1.03))
        _decades(axes, int(ks[-1]))
        legend_above(axes, ncols=3)
    return axes


def _decades(axes: Any, most: int) -> None:
    """Ticks at 1, 3, 10, 30, ... and at the end."""
    steps = [k * 10**power for power in range(len(str(most))) for k in (1, 3)]
    ticks = [*(k for k in steps if 1.5 * k < most), most]
    axes.set_xticks(ticks, [f"{k:,}" for k in ticks])
    axes.set_xticks([], minor=True)


def _shown_ks(most: int) -> NDArray[np.int64]:
    """Whole numbers from 1 to ``most``: all of the small ones, fewer of the large."""
    small = np.arange(1, min(most, _ALL_UP_TO) + 1)
    if most <= _ALL_UP_TO:
        return small
    return np.unique([*small, *np.geomspace(_ALL_UP_TO, most, _BEYOND).round().astype(np.int64)])


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
    curves = {name: _checked_history(value) for name, value in by_name("history", history).items()}
    level = None if chance is None else _validation.fraction("chance", chance)
    with drawing(ax) as axes:
        for place, (name, (epochs, scores)) in enumerate(curves.items()):
            colour, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
            axes.plot(epochs, scores, color=colour, marker=marker, ms=2.5, label=name or "score")
            if not np.isnan(scores).all():
                best = [int(np.nanargmax(scores))]
                ring: dict[str, Any] = {"ms": 8, "mfc": "none", "mec": colour, "mew": 1.2}
                label = None if place else "best epoch"
                axes.plot(epochs[best], scores[best], "o", label=label, **ring)
            failed = epochs[np.isnan(scores)]
            if len(failed):
                foot: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
                heights = np.full(len(failed), 0.02)
                axes.plot(failed, heights, "x", color=colour, label="no finite score", **foot)
        if level is not None:
            axes.axhline(level, color=GREY, linestyle="--", label="random scores")
        axes.set(xlabel="epoch", ylabel="validation MRR")
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        legend_above(axes, ncols=3)
    return axes


def _checked_history(history: Any) -> tuple[Floats, Floats]:
    """Epochs and scores; a score that is not finite becomes nan."""
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


def comparison(
    compared: "Comparison | Mapping[str, LinkRanking]", *, ax: "Axes | None" = None
) -> "Axes":
    """Draw the MRR of every row of a comparison, with its interval.

    Parameters
    ----------
    compared : Comparison, or mapping of name to LinkRanking
        As `gsnn_edges.compare` returns it, or `EdgeEvidence.evaluate` for kinds of edges.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide and as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        From the top: the compared scores, the untrained models (a diamond for each seed), the
        baselines. Lines are the intervals of the comparison. The grey line is the expected MRR of
        random scores, which have no row of their own; kinds of edges have a grey mark each. Small
        dots are single models, crosses the mean MRR where measured values are permuted.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    TypeError
        For something else than a comparison.

    Examples
    --------
    >>> from gsnn_edges import compare
    >>> from gsnn_edges.plots import blank_axes
    >>> W = np.random.default_rng(0).random((6, 6))
    >>> compared = compare({"W": W}, *2 * [[[0, 1], [2, 3]]], known_edges=[[4], [5]], seed=0)
    >>> [label.get_text() for label in comparison(compared, ax=blank_axes()).get_yticklabels()[:3]]
    ['W', 'in degree', 'out degree']
    """
    rows, chance = _rows(compared)
    with drawing(ax, height=_FRAME + _ROW * len(rows)) as axes:
        heights = {row[0]: height for height, row in enumerate(rows)}
        for label, points in _beside(compared).items():
            if points:
                x, names = zip(*points, strict=True)
                axes.plot(x, [heights[name] for name in names], **_BESIDE[label], label=label)
        for kind, look in _LOOKS.items():
            here = [(place, *row[2:]) for place, row in enumerate(rows) if row[1] == kind]
            if here:
                places = np.repeat([row[0] for row in here], [len(row[1]) for row in here])
                axes.plot(np.concatenate([row[1] for row in here]), places, linestyle="", **look)
            for place, _, (low, high) in here:
                axes.hlines(place, low, high, color=look["color"], linewidth=1)
        if len(chance) > 1:
            axes.plot(chance, range(len(rows)), "|", color=GREY, ms=8, label="random scores")
        else:
            axes.axvline(*chance, color=GREY, linestyle="--", linewidth=1, label="random scores")
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set(xlabel="mean reciprocal rank", xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
        legend_above(axes, ncols=2, centre=0.3)
    return axes


def _beside(compared: Any) -> dict[str, list[tuple[float, str]]]:
    """MRR and row of single models, and of permuted values."""
    points: dict[str, list[tuple[float, str]]] = {look: [] for look in _BESIDE}
    single, permuted = points.values()
    for row in getattr(compared, "rows", ()):
        name = row.name.replace("_", " ") if row.kind == "baseline" else row.name
        single += [(ranking.mrr, name) for ranking in row.members]
        if row.permuted is not None and row.name != "random":
            permuted.append((row.permuted.mrr, name))
    for name, control in getattr(compared, "untrained_permuted", {}).items():
        permuted.append((control.mrr, f"{name} untrained".lstrip()))
    return points


def _rows(compared: Any) -> tuple[list[tuple[str, str, list[float], Any]], list[float]]:
    """Name, kind, values and interval of each row; what random scores reach, once or by row."""
    nowhere = (np.nan, np.nan)

    def row(name: str, kind: str, ranking: LinkRanking) -> tuple[str, str, list[float], Any]:
        return name, kind, [ranking.mrr], ranking.intervals.get("mrr") or nowhere

    if isinstance(compared, Mapping):
        for ranking in by_name("compared", compared).values():
            _ranked_queries(ranking)
        rows = [row(str(name), "given", ranking) for name, ranking in compared.items()]
        return rows, [ranking.expected_mrr for ranking in compared.values()]
    if not isinstance(compared, Comparison):
        raise TypeError(
            f"compared must be a Comparison; got {type(compared).__name__}: pass what compare "
            "returns, or a mapping of name to LinkRanking"
        )
    untrained = [
        (f"{name} untrained".lstrip(), "untrained", [ranking.mrr for ranking in rankings], nowhere)
        for name, rankings in compared.untrained.items()
    ]
    given, baselines = (
        [one for one in compared.rows if one.kind == kind] for kind in ("given", "baseline")
    )
    rows = [
        *(row(one.name, "given", one.ranking) for one in given),
        *untrained,
        # Random scores are the line.
        *(
            row(one.name.replace("_", " "), "baseline", one.ranking)
            for one in baselines
            if one.name != "random"
        ),
    ]
    return rows, [compared.rows[0].ranking.expected_mrr]
