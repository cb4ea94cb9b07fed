"""What evaluate_edges returns: averages, intervals and the ranks of every query."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.evaluation.metrics import Averages, Interval, Ranks
from gsnn_edges.evaluation.ranking import Separation


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
    """Metrics of a link ranking; its own averages are micro: every query counts alike.

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
        ``auroc``, ``average_precision`` and ``prevalence`` over the whole pool, where they were
        asked for.
    queries : RankedQueries
        The ranks behind the averages.
    direction : {"tail", "head", "both"}
    confidence : float
        Level of the intervals.
    node_names : tuple of str or None

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
    node_names: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give all but the single ranks, ready for JSON: nan becomes None, a key k a string.

        Returns
        -------
        dict
            With "direction", "rankings" (how many), "confidence", "median_rank", "micro",
            "macro" and "separation"; an interval is a list of two.
        """
        micro = {name: getattr(self, name) for name in Averages.__dataclass_fields__}
        plain = {
            "direction": self.direction,
            "rankings": len(self.queries.scores),
            "confidence": self.confidence,
            "median_rank": self.median_rank,
            "micro": micro,
            "macro": vars(self.macro),
            "separation": None if self.separation is None else asdict(self.separation),
        }
        found: dict[str, Any] = json_safe(plain)
        return found

    def to_frame(self) -> Any:
        """Give the ranks as a pandas DataFrame, a row for each ranking.

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
        queries = self.queries
        source, target = (self._labels(nodes) for nodes in queries.edges)
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

    def _labels(self, nodes: np.ndarray) -> Any:
        return nodes if self.node_names is None else [self.node_names[node] for node in nodes]

    def __str__(self) -> str:
        return text_table(self)

    __repr__ = __str__


def json_safe(value: Any) -> Any:
    """Give a value as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): json_safe(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [json_safe(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def text_table(found: LinkRanking) -> str:
    """Write the averages as aligned lines of text."""
    fewest, most = (int(edge(found.queries.candidates)) for edge in (np.min, np.max))
    heading = (
        f"{len(found.queries.scores)} rankings, direction {found.direction}, "
        f"among {f'{fewest} to {most}' if fewest < most else most} candidates"
    )
    level = f"{100 * found.confidence:g}% interval" if found.intervals else ""
    rows = [("", "value", level, "macro", "by chance"), *lines_of(found)]
    rows = [row for row in zip(*rows, strict=True) if any(row)]
    columns = [aligned(column, left=not place) for place, column in enumerate(rows)]
    return "\n".join([heading, *("  ".join(row).rstrip() for row in zip(*columns, strict=True))])


def lines_of(found: LinkRanking) -> list[tuple[str, ...]]:
    """Give name, value, interval, macro value and expectation of each metric, as text."""

    def line(name: str, value: float, macro: float | None, expected: float | None) -> Any:
        interval = found.intervals.get(name)
        return name, text(value), text_of(interval), text(macro), text(expected)

    macro, pool = found.macro, found.separation
    lines = [
        line("mrr", found.mrr, macro.mrr, found.expected_mrr),
        line("adjusted_mrr", found.adjusted_mrr, macro.adjusted_mrr, 0.0),
        *(
            line(f"hits@{k}", hits, macro.hits[k], found.expected_hits[k])
            for k, hits in found.hits.items()
        ),
        line("mean_rank", found.mean_rank, macro.mean_rank, found.expected_mean_rank),
        line("median_rank", found.median_rank, None, None),
        line("amri", found.amri, macro.amri, 0.0),
    ]
    if pool is not None:
        lines.append(line("auroc", pool.auroc, None, 0.5))
        lines.append(line("average_precision", pool.average_precision, None, pool.prevalence))
    return lines


def text(value: float | None) -> str:
    """Write a number with 4 digits behind the point, and nothing for None."""
    return "" if value is None else f"{value:.4f}"


def text_of(interval: Interval | None) -> str:
    """Write an interval, and nothing for None."""
    return "" if interval is None else f"[{text(interval.low)}, {text(interval.high)}]"


def aligned(column: tuple[str, ...], *, left: bool) -> list[str]:
    """Pad the cells of a column to one width."""
    width = max(map(len, column))
    return [cell.ljust(width) if left else cell.rjust(width) for cell in column]
