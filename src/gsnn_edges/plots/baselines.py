"""The comparison with baselines, row by row with intervals."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gsnn_edges.baselines import Comparison
from gsnn_edges.plots.style import BLACK, BLUE, GREY, VERMILION, drawing, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: dict[str, dict[str, Any]] = {
    "given": {"color": BLUE, "marker": "o", "label": "given scores"},
    "untrained": {"color": VERMILION, "marker": "D", "label": "untrained models: mean, range"},
    "baseline": {"color": BLACK, "marker": "s", "label": "baselines"},
}
# Of the axes without rows, and of each row, in inches.
FRAME, ROW = 0.9, 0.17


def comparison(found: Comparison, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the MRR of every row of a comparison, with its interval.

    Parameters
    ----------
    found : Comparison
        As `gsnn_edges.compare` gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide and as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        From the top: the given scores, the untrained models (the mean of their MRRs, and a line
        from the least to the largest), the baselines. Lines of the others are the intervals of
        the comparison. The grey line is the MRR of random scores.

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
    >>> found = compare({"W": W}, *2 * [[[0, 1], [2, 3]]], known_edges=[[4], [5]], seed=0)
    >>> [label.get_text() for label in comparison(found, ax=blank_axes()).get_yticklabels()[:3]]
    ['W', 'random', 'in_degree']
    """
    if not isinstance(found, Comparison):
        raise TypeError(
            f"found must be a Comparison; got {type(found).__name__}: pass what compare gives"
        )
    rows = lines_of(found)
    with drawing(ax, height=FRAME + ROW * len(rows)) as axes:
        for kind, look in LOOKS.items():
            of_kind = [(y, *row[2:]) for y, row in enumerate(rows) if row[1] == kind]
            if of_kind:
                y, value, low, high = np.array(of_kind).T
                axes.hlines(y, low, high, color=look["color"], linewidth=1)
                axes.plot(value, y, linestyle="", **look)
        expected = found.rows[0].ranking.expected_mrr
        axes.axvline(expected, color=GREY, linestyle="--", linewidth=1, label="random scores")
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set(xlabel="mean reciprocal rank", xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
        legend_above(axes, ncols=2, centre=0.3)
    return axes


def lines_of(found: Comparison) -> list[tuple[Any, ...]]:
    """List name, kind, MRR and both ends of the line, from the top."""
    nowhere = (float("nan"), float("nan"))

    def rows(kind: str) -> list[tuple[Any, ...]]:
        of_kind = [row for row in found.rows if row.kind == kind]
        return [
            (r.name, kind, r.ranking.mrr, *(r.ranking.intervals.get("mrr") or nowhere))
            for r in of_kind
        ]

    before = []
    for name, rankings in found.untrained.items():
        mrrs = [ranking.mrr for ranking in rankings]
        label = f"{name} untrained".lstrip()
        before.append((label, "untrained", float(np.mean(mrrs)), min(mrrs), max(mrrs)))
    return [*rows("given"), *before, *rows("baseline")]
