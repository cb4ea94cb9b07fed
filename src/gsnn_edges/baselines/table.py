"""What `compare` gives: a row for each score, as a table, a frame and JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any, Literal

from gsnn_edges import _validation
from gsnn_edges.baselines.lift import MrrDifference
from gsnn_edges.evaluation import Interval, LinkRanking
from gsnn_edges.evaluation.results import aligned, json_safe, text, text_of

Difference = Callable[[LinkRanking, Sequence[LinkRanking]], MrrDifference]


@dataclass(frozen=True, eq=False)
class ComparedScore:
    """A score and how it ranks the queries.

    Attributes
    ----------
    name : str
    kind : {"given", "baseline", "untrained"}
    ranking : LinkRanking
    coverage : float
        Share of the queries that have a score of their own, in [0, 1]; the others share the
        lowest.
    mrr_difference : MrrDifference or None
        MRR minus the mean MRR of the untrained models; None where there are none.
    """

    name: str
    kind: Literal["given", "baseline", "untrained"]
    ranking: LinkRanking
    coverage: float
    mrr_difference: MrrDifference | None = None

    def against(
        self, untrained: Mapping[str, Sequence[LinkRanking]], difference: Difference
    ) -> "ComparedScore":
        """Add the lift over the untrained models of this score, or over those of all scores."""
        others = untrained.get(self.name) or untrained.get("")
        return replace(self, mrr_difference=difference(self.ranking, others)) if others else self


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Scores and baselines over the same queries and candidates; printed, it is a table.

    ``comparison["W"]`` is the row of that name.

    Attributes
    ----------
    rows : tuple of ComparedScore
        The given scores, then the baselines.
    untrained : dict of str to tuple of LinkRanking
        The untrained models of each score that has its own, or of all scores under "".

    Examples
    --------
    >>> import numpy as np
    >>> from gsnn_edges import compare
    >>> W = np.random.default_rng(0).random((6, 6))
    >>> edges = [[0, 1], [2, 3]]
    >>> found = compare({"W": W}, edges, edges, known_edges=[[4], [5]], seed=0)
    >>> found["W"].kind, found["in_degree"].kind, 0 < found["W"].ranking.mrr <= 1
    ('given', 'baseline', True)
    """

    rows: tuple[ComparedScore, ...]
    untrained: Mapping[str, tuple[LinkRanking, ...]]
    difference_of: Difference = field(repr=False)

    def __getitem__(self, name: str) -> ComparedScore:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r} is no row; there are {', '.join(row.name for row in self.rows)}")

    def difference(self, name: str, other: str) -> MrrDifference:
        """Subtract the MRR of one row from that of another, over the same queries.

        Parameters
        ----------
        name, other : str
            Names of rows.

        Returns
        -------
        MrrDifference
            Above 0 where ``name`` ranks better, with the interval of a paired bootstrap.

        Raises
        ------
        KeyError
            When there is no such row.
        """
        return self.difference_of(self[name].ranking, [self[other].ranking])

    def to_dict(self) -> dict[str, Any]:
        """Give all but the single ranks, ready for JSON: nan becomes None.

        Returns
        -------
        dict
            "rows", each with "name", "kind", "coverage", "mrr_difference" and "ranking" (as
            `LinkRanking.to_dict`), and "untrained", a list of rankings for each name.
        """
        rows = [
            {
                "name": row.name,
                "kind": row.kind,
                "coverage": row.coverage,
                "mrr_difference": None
                if row.mrr_difference is None
                else json_safe(asdict(row.mrr_difference)),
                "ranking": row.ranking.to_dict(),
            }
            for row in self.rows
        ]
        untrained = {
            name: [ranking.to_dict() for ranking in rankings]
            for name, rankings in self.untrained.items()
        }
        return {"rows": rows, "untrained": untrained}

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with a row for each score, baseline and untrained model.

        Returns
        -------
        pandas.DataFrame
            Columns "name", "kind", "coverage", the metrics, and "mrr_low", "mrr_high",
            "mrr_difference", "mrr_difference_low" and "mrr_difference_high", nan where
            there is none.

        Raises
        ------
        ImportError
            Where pandas is not installed; the message says what to install.
        """
        pd = _validation.imported("pandas", "to_frame needs pandas", "frames")
        lines = [
            {
                "name": row.name,
                "kind": row.kind,
                "coverage": row.coverage,
                **metrics_of(row.ranking),
                **numbers("mrr_difference", row.mrr_difference),
            }
            for row in (*self.rows, *self._untrained_rows())
        ]
        return pd.DataFrame(lines)

    def _untrained_rows(self) -> list[ComparedScore]:
        return [
            ComparedScore(f"{name} seed {seed}".lstrip(), "untrained", ranking, 1.0)
            for name, rankings in self.untrained.items()
            for seed, ranking in enumerate(rankings)
        ]

    def __str__(self) -> str:
        return table_of(self)

    __repr__ = __str__


def metrics_of(ranking: LinkRanking) -> dict[str, float]:
    """List the metrics of a ranking by name."""
    pool = ranking.separation
    nan = float("nan")
    return {
        "mrr": ranking.mrr,
        **ends("mrr", ranking.intervals.get("mrr")),
        "adjusted_mrr": ranking.adjusted_mrr,
        **{f"hits@{k}": hits for k, hits in ranking.hits.items()},
        "mean_rank": ranking.mean_rank,
        "median_rank": ranking.median_rank,
        "amri": ranking.amri,
        "auroc": nan if pool is None else pool.auroc,
        "average_precision": nan if pool is None else pool.average_precision,
    }


def numbers(name: str, found: MrrDifference | None) -> dict[str, float]:
    """List a lift and the ends of its interval."""
    value = float("nan") if found is None else found.value
    return {name: value, **ends(name, None if found is None else found.interval)}


def ends(name: str, interval: Interval | None) -> dict[str, float]:
    """List the ends of an interval, nan where there is none."""
    low, high = interval or (float("nan"), float("nan"))
    return {f"{name}_low": low, f"{name}_high": high}


def table_of(found: Comparison) -> str:
    """Write the rows as aligned lines of text."""
    first = found.rows[0].ranking
    sizes = first.queries.candidates
    fewest, most = int(sizes.min()), int(sizes.max())
    heading = (
        f"{len(sizes)} rankings, direction {first.direction}, among "
        f"{f'{fewest} to {most}' if fewest < most else most} candidates; "
        f"MRR by chance {text(first.expected_mrr)}"
    )
    level = f"{100 * first.confidence:g}% interval"
    title = ("", "mrr", level, "amri", "auroc", "coverage", "mrr difference", level)
    given = [line_of(row) for row in found.rows if row.kind == "given"]
    before = [untrained_line(name, rankings) for name, rankings in found.untrained.items()]
    rest = [line_of(row) for row in found.rows if row.kind == "baseline"]
    columns = zip(*given, *before, *rest, strict=True)
    filled = [
        aligned((name, *cells), left=not place)
        for place, (name, cells) in enumerate(zip(title, columns, strict=True))
        if any(cells)
    ]
    return "\n".join([heading, *("  ".join(row).rstrip() for row in zip(*filled, strict=True))])


def line_of(row: ComparedScore) -> tuple[str, ...]:
    """Give the cells of a score, as text."""
    interval = row.ranking.intervals.get("mrr")
    gain = (
        ("", "")
        if row.mrr_difference is None
        else (signed(row.mrr_difference.value), text_of(row.mrr_difference.interval))
    )
    return row.name, *cells_of([row.ranking], interval), text(row.coverage), *gain


def untrained_line(name: str, rankings: Sequence[LinkRanking]) -> tuple[str, ...]:
    """Give the cells of untrained models: their means."""
    label = f"{name} untrained, mean of {len(rankings)}".lstrip()
    return label, *cells_of(rankings, None), "", "", ""


def cells_of(rankings: Sequence[LinkRanking], interval: Interval | None) -> tuple[str, ...]:
    """Give MRR, its interval, AMRI and AUROC; means, where there are several rankings."""
    aurocs = [found.separation.auroc for found in rankings if found.separation is not None]
    return (
        text(fmean(found.mrr for found in rankings)),
        text_of(interval),
        text(fmean(found.amri for found in rankings)),
        text(fmean(aurocs)) if aurocs else "",
    )


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.4f}"
