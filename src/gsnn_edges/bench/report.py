"""The rows of the benchmark, as a table and as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

NOT_MEASURED = "not measured"
PREFIXES = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0))
WIDTH = 250  # no line is broken: the table is Markdown


@dataclass(frozen=True)
class Row:
    """One line of the benchmark.

    Attributes
    ----------
    what, size : str
        What was timed, and on what size.
    milliseconds : float or None
        Median wall time.
    ratio : float or None
        That time over the time of ``reference``.
    reference : str
        What the time is compared with.
    at_most, at_least : float or None
        The goal of the ratio, where it has one.
    at_most_ms, at_most_mb : float or None
        The goals of time and memory, where there are such.
    peak_mb : float or None
        Resident memory, in 10**6 bytes, that the call added to its inputs at its highest; None
        where it was not measured.
    note : str
        Why there is no time, as "not installed".
    rate, unit : float or None, str
        Bytes or operations a second, "B/s" or "flop/s", where they were counted.
    share : float or None
        That rate over the ceiling that was measured.
    paper_ms : float or None
        What the paper model says.
    """

    what: str
    size: str
    milliseconds: float | None = None
    ratio: float | None = None
    reference: str = ""
    at_most: float | None = None
    at_least: float | None = None
    peak_mb: float | None = None
    note: str = ""
    rate: float | None = None
    unit: str = ""
    share: float | None = None
    paper_ms: float | None = None
    at_most_ms: float | None = None
    at_most_mb: float | None = None

    @property
    def goals(self) -> list[tuple[str, bool | None]]:
        """Each goal as text, and whether it is met; None where its value was not measured."""
        bounds = (
            (self.ratio, self.at_most, "<=", ""),
            (self.ratio, self.at_least, ">=", ""),
            (self.milliseconds, self.at_most_ms, "<=", " ms"),
            (self.peak_mb, self.at_most_mb, "<=", " MB"),
        )
        return [
            (
                f"{sign} {bound:{',' if unit else ''}g}{unit}",
                None if value is None else (value <= bound if sign == "<=" else value >= bound),
            )
            for value, bound, sign, unit in bounds
            if bound is not None
        ]

    @property
    def met(self) -> bool | None:
        """Whether all goals are met; None where there is none, or one that nobody knows of."""
        found = [met for _, met in self.goals]
        if False in found:
            return False
        return None if None in found or not found else True


def render(environment: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Lay a benchmark out as text: what it was run on, and the table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "size", box=box.MARKDOWN)
    for heading in ("ms", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("over")
    table.add_column("goal")
    table.add_column("peak MB", justify="right")
    # Only a device has been counted on.
    counted = any(row.rate is not None or row.paper_ms is not None for row in rows)
    for heading in ("rate", "of ceiling", "paper ms") if counted else ():
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*cells(row), *(counted_cells(row) if counted else ()))
    text = StringIO()
    Console(file=text, width=WIDTH, color_system=None).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]
    return "\n".join([*_head(environment), "", *lines]) + "\n"


def cells(row: Row) -> tuple[str, ...]:
    """Write a row as text."""
    if row.milliseconds is None:
        return row.what, row.size, "", "", row.note, "", ""
    return (
        row.what,
        row.size,
        _milliseconds(row.milliseconds),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.reference,
        _goal(row),
        NOT_MEASURED if row.peak_mb is None else f"{row.peak_mb:,.0f}",
    )


def counted_cells(row: Row) -> tuple[str, str, str]:
    """Write the rate of a row as text, its share of the ceiling, and what was to be expected."""
    rate = ""
    if row.rate is not None:
        prefix, size = next((pair for pair in PREFIXES if row.rate >= pair[1]), PREFIXES[-1])
        rate = f"{row.rate / size:.3g} {prefix}{row.unit}"
    return (
        rate,
        "" if row.share is None else f"{row.share:.2f}",
        "" if row.paper_ms is None else _milliseconds(row.paper_ms),
    )


def line(row: Row) -> str:
    """Write a row as one line, to be read as it comes."""
    return " | ".join(cell for cell in (*cells(row), *counted_cells(row)) if cell)


def write_json(path: Path, environment: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Write what `render` shows to a file, whole or not at all."""
    report = {
        "environment": dict(environment),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    # Beside its place: a rename within a file system is all or nothing.
    with TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
        unfinished = Path(folder) / path.name
        unfinished.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        os.replace(unfinished, path)


def _milliseconds(taken: float) -> str:
    if taken < 1:
        return f"{taken:.2g}"
    return f"{taken:,.{0 if taken >= 100 else 1}f}"


def _head(environment: Mapping[str, str]) -> list[str]:
    return [f"{name:10} {value}" for name, value in environment.items()]


def _goal(row: Row) -> str:
    marks = {True: "", False: ", missed", None: ", " + NOT_MEASURED}
    return "; ".join(goal + marks[met] for goal, met in row.goals)
