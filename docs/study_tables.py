"""The tables of docs/study.md, from the records of the runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from results import setting
from scipy.stats import sem
from scipy.stats import t as student

Record = Mapping[str, Any]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Table:
    """Means over seeds of one quantity, a row for each score and a column for each model."""

    title: str
    rows: Sequence[str]
    value: Callable[[Record, str], float | None]


def heading(records: Sequence[Record]) -> Iterator[str]:
    """Say when, where and with what the tables were made; records may be of other commits."""
    yield from setting()
    yield f"- commits of the records: {', '.join(sorted({r['commit'] for r in records}))}"
    yield f"- runs: {len(records)}, {sum(r['seconds'] for r in records):.0f} s in all"


def summary(
    records: Sequence[Record],
    titles: Mapping[tuple[str, str], str],
    scores: Mapping[str, str],
    both: str,
) -> Iterator[str]:
    """Give one table of means over the seeds: no norm, no sharing, pre-norm.

    ``scores`` maps the head of a column to a score, the second of which stands untrained too.
    """
    heads = [*scores, "trained and untrained", "channels, untrained", "best without a network"]
    yield f"| graph | {' | '.join(heads)} |"
    yield f"| --- |{' --: |' * len(heads)}"
    untrained = f"untrained, {scores['channels']}, pre-norm"
    keys = [*(f"trained, {name}, pre-norm" for name in scores.values()), both, untrained]
    for setup, title in titles.items():
        own = [r for r in records if (r["graph"], r["observed"]) == setup]
        own = [r for r in own if (r["norm"], r["shared"]) == ("none", False)]
        if own:
            means = [f"{np.mean([mrr(record, key) for record in own]):.2f}" for key in keys]
            yield f"| {title} | {' | '.join(means)} | {best_baseline(own)} |"


def best_baseline(records: Sequence[Record]) -> str:
    """Give the mean and the name of the best baseline that knows no network."""
    names = [name for name in records[0]["baselines"] if name != "activation_correlation"]
    means = {name: np.mean([mrr(record, name) for record in records]) for name in names}
    best = max(means, key=lambda name: means[name])
    return f"{means[best]:.2f}, {best}"


def tables(
    records: Sequence[Record],
    titles: Mapping[tuple[str, str], str],
    rows: Sequence[str],
    leads: Sequence[str],
) -> Iterator[Iterator[str]]:
    """Give the tables of each setup that has records, as lines; ``rows`` names the scores."""
    for setup, title in titles.items():
        own = [r for r in records if (r["graph"], r["observed"]) == setup]
        if own:
            yield title_of(own, title)
            for table in tables_of(own, rows, leads):
                yield lines_of(table, own)


def title_of(records: Sequence[Record], title: str) -> Iterator[str]:
    """Name a setup."""
    first = records[0]
    seeds = len({record["seed"] for record in records})
    yield f"## {title}"
    yield ""
    yield (
        f"MRR of {first['queries']} held-out edges, self-edges aside; by chance "
        f"{first['expected_mrr']:.3f} (seed {first['seed']}). Means over the seeds ({seeds}), with "
        "95% intervals of Student's t over them where there are several."
    )


def tables_of(
    records: Sequence[Record], rows: Sequence[str], leads: Sequence[str]
) -> Iterator[Table]:
    """Trained models, what training adds, leads, what was chosen how often, and baselines."""
    yield Table("trained", rows, trained)
    yield Table("trained - untrained", [row for row in rows if has_gain(records[0], row)], gain)
    if all("leads" in record for record in records):
        yield Table("lead, trained, pre-norm", leads, mrr)
    yield Table("share of magnitudes by auto", list(records[0]["choices"]), took_magnitudes)
    yield Table("baseline", records[0]["baselines"], covered)


def mrr(record: Record, name: str) -> float:
    """Mean reciprocal rank by a score."""
    return float(record["metrics"][name]["mrr"])


def trained(record: Record, name: str) -> float:
    """Mean reciprocal rank by a score of the trained model, or by one that takes no other model."""
    return mrr(record, f"trained, {name}" if has_gain(record, name) else name)


def has_gain(record: Record, name: str) -> bool:
    """Whether a score is that of one model, which can be trained or not."""
    return f"untrained, {name}" in record["metrics"]


def gain(record: Record, name: str) -> float:
    """Subtract what the untrained model reaches by a score."""
    return mrr(record, f"trained, {name}") - mrr(record, f"untrained, {name}")


def took_magnitudes(record: Record, name: str) -> float:
    """Whether the known edges took magnitudes."""
    return float(record["choices"][name]["score"] == "magnitude")


def covered(record: Record, name: str) -> float | None:
    """Mean reciprocal rank by a baseline, or None where it scores no query."""
    return mrr(record, name) if record["metrics"][name]["coverage"] else None


def lines_of(table: Table, records: Sequence[Record]) -> Iterator[str]:
    """Write a table in Markdown."""
    models = list(dict.fromkeys((record["norm"], record["shared"]) for record in records))
    labels = [f"{norm} norm{', shared' if shared else ''}" for norm, shared in models]
    yield f"| {table.title} | {' | '.join(labels)} |"
    yield f"| --- |{' --: |' * len(models)}"
    for name in table.rows:
        cells = []
        for model in models:
            own = [r for r in records if (r["norm"], r["shared"]) == model]
            found = [table.value(record, name) for record in own]
            cells.append(cell_of([value for value in found if value is not None]))
        yield f"| {name} | {' | '.join(cells)} |"


def cell_of(values: Sequence[float]) -> str:
    """Write a mean over seeds with its interval; one seed has none."""
    if not values:
        return "-"
    mean = f"{np.mean(values):.3f}"
    if len(values) == 1:
        return mean
    reach = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * sem(values))
    low, high = np.mean(values) - reach, np.mean(values) + reach
    return f"{mean} [{low:.3f}, {high:.3f}]"
