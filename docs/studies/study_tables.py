"""The rows of docs/studies/study.csv, from the records of the runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import sem
from scipy.stats import t as student

Record = Mapping[str, Any]
Value = Callable[[Record, str], float | None]
CONFIDENCE = 0.95


def rows(
    records: Sequence[Record], scores: Sequence[str], leads: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Means over the seeds with their intervals, a row for each setup, score and kind of model."""
    setups = dict.fromkeys((record["graph"], record["observed"]) for record in records)
    for graph, observed in setups:
        chosen = [r for r in records if (r["graph"], r["observed"]) == (graph, observed)]
        models = dict.fromkeys((record["norm"], record["shared"]) for record in chosen)
        for table, names, value in tables(chosen, scores, leads):
            for name in names:
                for norm, shared in models:
                    seeds = [r for r in chosen if (r["norm"], r["shared"]) == (norm, shared)]
                    values = [found for r in seeds if (found := value(r, name)) is not None]
                    yield {
                        **{"graph": graph, "observed": observed, "table": table, "name": name},
                        **{"norm": norm, "shared": shared, "seeds": len(seeds)},
                        **interval(values),
                    }


def tables(
    records: Sequence[Record], scores: Sequence[str], leads: Sequence[str]
) -> Iterator[tuple[str, Sequence[str], Value]]:
    """Trained models, what training adds, leads, what was chosen how often, and baselines."""
    first = records[0]
    yield "trained", scores, trained
    yield "trained - untrained", [name for name in scores if has_gain(first, name)], gain
    if all("leads" in record for record in records):
        yield "lead, trained, pre-norm", leads, mrr
    yield "share of magnitudes by auto", list(first["choices"]), took_magnitudes
    yield "baseline", first["baselines"], covered


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


def interval(values: Sequence[float]) -> dict[str, str]:
    """Mean over seeds, with the ends of Student's interval; one seed has none."""
    if not values:
        return {"mean": "", "low": "", "high": ""}
    mean, low, high = np.mean(values), "", ""
    if len(values) > 1:
        reach = student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * sem(values)
        low, high = f"{mean - reach:.3f}", f"{mean + reach:.3f}"
    return {"mean": f"{mean:.3f}", "low": low, "high": high}
