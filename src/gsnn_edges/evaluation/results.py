"""What `evaluate_edges` returns: averages, intervals and the ranks of every query."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.evaluation.metrics import Averages, Interval, Ranks, Separation


@dataclass(frozen=True, eq=False)
class RankedQueries:
    """Every ranking that was made: E of one direction, 2E of both, tails before heads.

    Attributes
    ----------
    edges : int64 array of shape (2, E)
        Sources above targets.
    head : bool array of shape (E,)
        Whether sources were ranked, and not targets.
    scores : float64 array of shape (E,)
    candidates : int64 array of shape (E,)
        How many were ranked, the query among them.
    ranks : Ranks
    """

    edges: np.ndarray
    head: np.ndarray
    scores: np.ndarray
    candidates: np.ndarray
    ranks: Ranks


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LinkRanking(Averages):
    """Metrics of a link ranking. Its averages are micro averages: every query counts alike.

    Printed, it is a table. The attributes of `Averages` (``mrr``, ``hits``, ``amri``, ...) are
    there too.

    Attributes
    ----------
    macro : Averages
        Every node that is ranked for counts alike: sources of tail rankings, targets of head
        rankings.
    median_rank : float
        Median of the realistic ranks; at least 1, smaller is better.
    separation : Separation or None
        ``auroc``, ``average_precision`` and ``prevalence`` over the whole pool; None with
        ``pool_metrics=False``.
    queries : RankedQueries
        The ranks behind the averages.
    direction : {"tail", "head", "both"}
    confidence : float
        Level of the intervals.
    node_names : list of str or None

    Examples
    --------
    >>> import numpy as np
    >>> from gsnn_edges import evaluate_edges
    >>> W = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.2], [0.3, 0.2, 0.1]])
    >>> found = evaluate_edges(W, [[1, 0], [0, 1]], ks=[1], n_resamples=None)
    >>> found.mrr, found.hits, found.to_dict()["rankings"]
    (0.75, {1: 0.5}, 2)
    """

    macro: Averages
    median_rank: float
    separation: Separation | None
    queries: RankedQueries
    direction: str
    confidence: float
    node_names: list[str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All but the single ranks, ready for JSON: nan becomes None, a key k a string.

        Returns
        -------
        dict
            With "direction", "rankings" (how many), "confidence", "median_rank", "micro",
            "macro" and "separation"; an interval is a list of two.
        """
        plain: dict[str, Any] = json_safe(
            {
                "direction": self.direction,
                "rankings": len(self.queries.scores),
                "confidence": self.confidence,
                "median_rank": self.median_rank,
                "micro": {one.name: getattr(self, one.name) for one in fields(Averages)},
                "macro": vars(self.macro),
                "separation": None if self.separation is None else asdict(self.separation),
            }
        )
        return plain

    def to_frame(self) -> Any:
        """The ranks as a pandas DataFrame, a row for each ranking.

        Returns
        -------
        pandas.DataFrame
            Columns "source" and "target" (names, where there are names), "direction", "score",
            "candidates", "optimistic", "realistic", "pessimistic" and "tie_reciprocal".

        Raises
        ------
        ImportError
            Where pandas is not installed; the message says what to install.
        """
        pd = _validation.imported("pandas", "to_frame needs pandas", "frames")
        queries, names = self.queries, self.node_names
        source, target = (
            nodes if names is None else [names[node] for node in nodes] for nodes in queries.edges
        )
        return pd.DataFrame(
            {
                "source": source,
                "target": target,
                "direction": np.where(queries.head, "head", "tail"),
                "score": queries.scores,
                "candidates": queries.candidates,
                **vars(queries.ranks),
            }
        )

    def heading(self) -> str:
        """How many rankings of what kind, in a line."""
        sizes = self.queries.candidates
        fewest, most = int(sizes.min()), int(sizes.max())
        return (
            f"{len(sizes)} rankings, direction {self.direction}, "
            f"among {f'{fewest} to {most}' if fewest < most else most} candidates"
        )

    def __str__(self) -> str:
        level = f"{100 * self.confidence:g}% interval"
        title = ("", "value", level, "macro", "by chance")
        return text_table(self.heading(), title, metric_lines(self))

    __repr__ = __str__


class RankingsByKind(dict[str, LinkRanking]):
    """Rankings of each kind of edge by its name, as `EdgeEvidence.evaluate` gives them by ``by``.

    Printed, it is a table; `gsnn_edges.plots.comparison` draws it.
    """

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each kind.

        Returns
        -------
        pandas.DataFrame
            Columns "kind", "queries", "mrr", "mrr_low", "mrr_high", "expected_mrr",
            "adjusted_mrr", "median_rank" and "amri".
        """
        pd = _validation.imported("pandas", "to_frame needs pandas", "frames")
        rows = []
        for kind, ranking in self.items():
            low, high = ranking.intervals.get("mrr") or (math.nan, math.nan)
            row = {"kind": kind, "queries": len(ranking.queries.scores), "mrr": ranking.mrr}
            names = ("expected_mrr", "adjusted_mrr", "median_rank", "amri")
            metrics = {name: getattr(ranking, name) for name in names}
            rows.append({**row, "mrr_low": low, "mrr_high": high, **metrics})
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        title = ("kind", "queries", "mrr", "interval", "by chance", "median rank")
        rows = [
            (
                kind,
                str(len(ranking.queries.scores)),
                number(ranking.mrr),
                number_range(ranking.intervals.get("mrr")),
                number(ranking.expected_mrr),
                f"{ranking.median_rank:g}",
            )
            for kind, ranking in self.items()
        ]
        return text_table(f"{len(self)} kinds of edge", title, rows)

    __repr__ = __str__


def metric_lines(ranking: LinkRanking) -> list[tuple[str, ...]]:
    """Name, value, interval, macro value and expectation of each metric, as text."""

    def line(name: str, value: float, macro: float | None, expected: float | None) -> Any:
        interval = ranking.intervals.get(name)
        return name, number(value), number_range(interval), number(macro), number(expected)

    macro, pool = ranking.macro, ranking.separation
    lines = [
        line("mrr", ranking.mrr, macro.mrr, ranking.expected_mrr),
        line("adjusted_mrr", ranking.adjusted_mrr, macro.adjusted_mrr, 0.0),
        *(
            line(f"hits@{k}", hits, macro.hits[k], ranking.expected_hits[k])
            for k, hits in ranking.hits.items()
        ),
        line("mean_rank", ranking.mean_rank, macro.mean_rank, ranking.expected_mean_rank),
        line("median_rank", ranking.median_rank, None, None),
        line("amri", ranking.amri, macro.amri, 0.0),
    ]
    if pool is not None:
        lines.append(line("auroc", pool.auroc, None, 0.5))
        lines.append(line("average_precision", pool.average_precision, None, pool.prevalence))
    return lines


def json_safe(value: Any) -> Any:
    """A value as JSON knows it: text keys, lists for tuples, None for nan."""
    if isinstance(value, dict):
        return {str(key): json_safe(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [json_safe(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def number(value: float | None) -> str:
    """A number with 4 digits behind the point; nothing for None."""
    return "" if value is None else f"{value:.4f}"


def number_range(interval: Interval | None) -> str:
    """An interval as text; nothing for None."""
    return "" if interval is None else f"[{number(interval.low)}, {number(interval.high)}]"


def text_table(heading: str, title: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned lines of text below a heading, without the columns that have no value."""
    columns = [column for column in zip(title, *rows, strict=True) if any(column[1:])]
    first, *others = [max(map(len, column)) for column in columns]
    lines = [
        [name.ljust(first), *map(str.rjust, cells, others)]
        for name, *cells in zip(*columns, strict=True)
    ]
    return "\n".join([heading, *("  ".join(line).rstrip() for line in lines)])
