"""How the time of a benchmark's rows grows with their size."""

import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsnn_edges import _validation
from gsnn_edges.plots.style import GREY, MARKERS, SERIES, WIDTH, drawing, legend_above, matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[int, float]
Curve = tuple[str, str]  # what was timed, and all its sizes but one

# Of the product, N x M by M x N: what the dashed line grows by.
EXPONENTS = {"N": 2, "M": 1}


def scaling(
    rows: Any,
    *,
    against: str = "N",
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the milliseconds of benchmark rows against one of their sizes, both on logarithmic axes.

    Parameters
    ----------
    rows : sequence of rows, report, or path
        Rows with ``what``, ``size`` and ``milliseconds``, as mappings or as objects; a mapping that
        holds them as "rows", or the path of a JSON file with one. Rows without a time are left out.
    against : str
        The letter of the size: "N" nodes, "M" observations, "E" edges, or another that sizes
        have, as in "N=1000, M=10000".
    names : sequence of str, optional
        Draw these rows only, such as "Spearman, torch"; in this order.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, on new axes 3.4 inches wide.

    Returns
    -------
    matplotlib.axes.Axes
        A line for each thing that was timed at two sizes or more that differ in
        ``against`` alone. Along N and M a dashed line grows as the product of the matrices does:
        by N², and by M.

    Raises
    ------
    ImportError
        Without matplotlib: the extra "plots".
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        For what are no rows, an unknown name, or nothing at two sizes.

    Examples
    --------
    >>> from gsnn_edges.plots import blank_axes
    >>> rows = [
    ...     {"what": "Spearman, numpy", "size": "N=100, M=5000", "milliseconds": 4.0},
    ...     {"what": "Spearman, numpy", "size": "N=200, M=5000", "milliseconds": 12.0},
    ... ]
    >>> ax = scaling(rows, ax=blank_axes())
    >>> ax.lines[0].get_label(), ax.lines[0].get_ydata().tolist()
    ('Spearman, numpy', [4.0, 12.0])
    """
    curves = curves_of(timed_rows(rows), against, names)
    others = {rest for _, rest in curves}
    shared = f"{against} ({others.pop()})" if len(others) == 1 and "" not in others else against
    with drawing(ax, height=WIDTH) as axes:
        for place, ((what, rest), points) in enumerate(curves.items()):
            sizes, times = zip(*sorted(points), strict=True)
            axes.plot(
                sizes,
                times,
                color=SERIES[place % len(SERIES)],
                marker=MARKERS[place % len(MARKERS)],
                linestyle="-" if place < len(SERIES) else "--",
                label=what if shared != against or not rest else f"{what}; {rest}",
            )
        if against in EXPONENTS:
            guide(axes, sorted(min(curves.values(), key=min)), against)
        axes.set(xscale="log", yscale="log", xlabel=shared, ylabel="time, ms")
        name_times(axes, [time for points in curves.values() for _, time in points])
        name_sizes(axes, {size for points in curves.values() for size, _ in points})
        legend_above(axes, ncols=2 if shared != against else 1, centre=0.4)
    return axes


def name_times(axes: Any, times: list[float]) -> None:
    """Put ticks at 1, 2, 5, 10, ... where there is room, else at 1, 10, 100, ..."""
    ticker = matplotlib("matplotlib.ticker")
    close = max(times) < 1000 * min(times)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if close else (1,)))
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())


def plain(value: float, _: int | None = None) -> str:
    """Write a time as people do, and not as a power.

    >>> plain(1000), plain(0.1)
    ('1,000', '0.1')
    """
    return f"{value:,.10g}"


def name_sizes(axes: Any, sizes: set[int]) -> None:
    """Put a tick at each size that was timed, and nowhere else."""
    axes.set_xticks(sorted(sizes), [f"{size:,}" for size in sorted(sizes)])
    axes.set_xticks([], minor=True)


def guide(axes: Any, points: list[Point], against: str) -> None:
    """Draw how a time grows that the product alone takes."""
    (first, least), (last, _) = points[0], points[-1]
    power = EXPONENTS[against]
    label = f"as {against}" + ("²" if power == 2 else "")
    end = least * (last / first) ** power
    axes.plot([first, last], [least, end], color=GREY, linestyle=":", label=label)


def timed_rows(rows: Any) -> list[Mapping[str, Any]]:
    """Give rows that hold a time as mappings, wherever they come from."""
    if isinstance(rows, str | PathLike):
        rows = read_report(Path(rows))
    if isinstance(rows, Mapping):
        rows = rows.get("rows")
    try:
        found = [row if isinstance(row, Mapping) else vars(row) for row in rows]
        return [
            {"what": str(r["what"]), "size": str(r["size"]), "time": r["milliseconds"]}
            for r in found
            if r["milliseconds"] is not None
        ]
    except (KeyError, TypeError) as error:
        raise TypeError(
            "rows must be mappings or objects with what, size and milliseconds; got "
            f"{_validation.shown(rows)}: pass a list of them, or the JSON file of a benchmark"
        ) from error


def read_report(path: Path) -> Any:
    """Read the JSON of a benchmark."""
    if not path.is_file():
        raise FileNotFoundError(f"rows must be rows or a file; got {str(path)!r}, which is no file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"rows must be the JSON of a benchmark; {str(path)!r} is not JSON ({error})"
        ) from error


def curves_of(
    rows: list[Mapping[str, Any]], against: str, names: Sequence[str] | None
) -> dict[Curve, list[Point]]:
    """Collect the points of each curve that has two sizes or more."""
    curves: dict[Curve, list[Point]] = {}
    for row in rows:
        sizes = sizes_of(row["size"])
        if against in sizes:
            size = sizes.pop(against)
            rest = ", ".join(f"{letter} = {value:,}" for letter, value in sizes.items())
            curves.setdefault((row["what"], rest), []).append((size, row["time"]))
    long = {curve: points for curve, points in curves.items() if len(dict(points)) > 1}
    known = list(dict.fromkeys(what for what, _ in long))
    for name in names or ():
        _validation.choice("names", name, known)
    if not long:
        raise ValueError(
            f"rows must hold something timed at two sizes that differ in {against} alone; got "
            f"{len(rows)} rows without: take another letter, or more sizes"
        )
    return {curve: long[curve] for name in names or known for curve in long if curve[0] == name}


def sizes_of(text: str) -> dict[str, int]:
    """Read the sizes of a row.

    >>> sizes_of("N=1000, M=10000")
    {'N': 1000, 'M': 10000}
    """
    return {letter: int(value) for letter, value in re.findall(r"\b(\w+)=(\d+)\b", text)}
