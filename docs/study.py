"""Run the study of scores: which finds held-out edges, beside which baselines, and for which model.

    python docs/study.py --seeds 5 --records study.jsonl

A record of each model is written as soon as it is made, and one that is there with all that is
asked for is not made again: a study that was cut off goes on where it was. Settings are those of
``gsnn-edges demo`` for each graph, but for what the tables name. Nothing is chosen by a score, and
all runs are in the records.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from leads import LEADS, Observed
from results import commit, setting

from gsnn_edges import cross_correlation
from gsnn_edges.baselines import compare
from gsnn_edges.channels import channel_correlation
from gsnn_edges.choosing import Standing, standing
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology, graph
from gsnn_edges.demo.training import Recipe, recipe_for, train
from gsnn_edges.layers import layer_pairs
from gsnn_edges.observations import capture
from gsnn_edges.observations.channels import ChannelObservations, capture_channels

SMALL = ("tutorial", "dream4-1", "dream4-2")
# Asked for by name: a model of it takes minutes, so there is one kind of model.
LARGE = "ligand-receptor"
GRAPHS = (*SMALL, LARGE)
# What is perturbed and measured. The tutorial's own nodes, 25 and 25, are a part of it.
OBSERVED = {
    "own": "as the graph has it",
    "all": "all nodes perturbed and measured",
    "part": "30% of the nodes perturbed, 50% measured",
}
SETUPS = [
    ("tutorial", "own"),
    *((name, observed) for name in SMALL for observed in ("all", "part")),
    (LARGE, "own"),
]
MODELS = [(norm, shared) for norm in ("none", "batch") for shared in (False, True)]
SIDES = {"pre-norm": True, "post-norm": False}
DRAWS = 10_000


class Seen(NamedTuple):
    """What a model showed of the test rows, pre-norm or post-norm."""

    a: torch.Tensor
    g: torch.Tensor
    channels: ChannelObservations


class Run(NamedTuple):
    """One model: a seed is that of data, split, initial weights and training."""

    graph: str
    observed: str
    norm: str
    shared: bool
    seed: int
    epochs: int

    @property
    def key(self) -> str:
        """Name the run in the records."""
        return " ".join(map(str, self))


@dataclass(frozen=True)
class Table:
    """Means over seeds of one quantity, a row for each score and a column for each model."""

    title: str
    rows: list[str]
    value: Callable[[dict[str, Any], str], float | None]


def channels(a: torch.Tensor, g: torch.Tensor, nodes: torch.Tensor) -> np.ndarray:
    """Norms of the blocks of correlations."""
    found: np.ndarray = channel_correlation(a, g, nodes, nodes).numpy()
    return found


def mean_over_pairs(
    score: Callable[..., Any], a: torch.Tensor, g: torch.Tensor, samples: int, *rest: Any
) -> np.ndarray:
    """Average the matrices of all layer pairs."""
    matrices = [np.asarray(score(*pair, *rest)) for pair in layer_pairs(a, g, samples)]
    return np.asarray(np.mean(matrices, axis=0))


def last_pair(seen: ChannelObservations) -> np.ndarray:
    """Take the channels of the last layer pair alone."""
    return channels(seen.a[-seen.samples :], seen.g[-seen.samples :], seen.nodes)


# The two scores that the known edges choose from, and what they choose.
MAGNITUDE, CHANNELS, AUTO = "magnitude, pooled", "channels, mean over pairs", "auto"

# A score is a line here; it gives (N, N) on the host.
SCORES: dict[str, Callable[[Seen], np.ndarray]] = {
    MAGNITUDE: lambda seen: cross_correlation(seen.a, seen.g).numpy(),
    "magnitude, mean over pairs": lambda seen: mean_over_pairs(
        cross_correlation, seen.a, seen.g, seen.channels.samples
    ),
    CHANNELS: lambda seen: mean_over_pairs(
        channels, seen.channels.a, seen.channels.g, seen.channels.samples, seen.channels.nodes
    ),
    "channels, pooled": lambda seen: channels(
        seen.channels.a, seen.channels.g, seen.channels.nodes
    ),
    "channels, last pair": lambda seen: last_pair(seen.channels),
}


@click.command(help=__doc__)
@click.option("--seeds", default=5, show_default=True, help="Seeds of each setting.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option(
    "--graph", "graphs", type=click.Choice(GRAPHS), multiple=True, default=SMALL, help="Graphs."
)
@click.option(
    "--observed",
    type=click.Choice([*OBSERVED]),
    multiple=True,
    default=[*OBSERVED],
    help="What is seen.",
)
@click.option("--epochs", type=int, help="By default as many as suit the graph.")
@click.option("--leads", is_flag=True, help="Add what was tried and did not win (docs/leads.py).")
@click.option(
    "--records",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("study.jsonl"),
    show_default=True,
    help="File of JSON lines, one for each model.",
)
def main(
    seeds: int,
    first: int,
    graphs: tuple[str, ...],
    observed: tuple[str, ...],
    epochs: int | None,
    leads: bool,
    records: Path,
) -> None:
    """Run what is missing, and print what was run and what came of it."""
    made = read(records)
    setups = [setup for setup in SETUPS if setup[0] in graphs and setup[1] in observed]
    wanted = list(runs(setups, range(first, first + seeds), epochs))
    for place, run in enumerate(wanted):
        if not holds(made.get(run.key), leads):
            click.echo(f"{place + 1} of {len(wanted)}: {run.key}", err=True)
            made[run.key] = record_of(run, leads)
            write(records, made)
    shown = [made[run.key] for run in wanted]
    for lines in (heading(shown), *tables(shown, leads)):
        click.echo("\n".join(lines) + "\n")


def runs(setups: list[tuple[str, str]], seeds: range, epochs: int | None) -> Iterator[Run]:
    """Give all runs, whole seeds first."""
    usual = {name: recipe_for(graph(name)).epochs for name in GRAPHS}
    for seed in seeds:
        for name, observed in setups:
            for norm, shared in MODELS[:1] if name == LARGE else MODELS:
                many = usual[name] if epochs is None else epochs
                yield Run(name, observed, norm, shared, seed, many)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Give the records that are there, by the key of their run."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record["key"]: record for record in map(json.loads, lines)}


def holds(record: dict[str, Any] | None, leads: bool) -> bool:
    """Whether a record is there, with all that is asked for."""
    return record is not None and "choices" in record and (not leads or "leads" in record)


def write(path: Path, records: dict[str, dict[str, Any]]) -> None:
    """Write all records, a line each; the file is whole at any time."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    lines = "".join(json.dumps(record) + "\n" for record in records.values())
    unfinished.write_text(lines, encoding="utf-8")
    os.replace(unfinished, path)


def record_of(run: Run, leads: bool) -> dict[str, Any]:
    """Simulate, train and score one model, trained and untrained, beside all baselines."""
    start = time.perf_counter()
    topology = observed_at(graph(run.graph), run.observed, run.seed)
    recipe = replace(recipe_for(topology), epochs=run.epochs)
    problem = simulate(topology, seed=run.seed, train_rows=recipe.train_rows)
    model = model_of(run, problem, recipe)
    matrices = {f"untrained, {name}": W for name, W in scored(model, problem)}
    losses = trained(model, problem, recipe, run.seed)
    matrices |= {f"trained, {name}": W for name, W in scored(model, problem)}
    chosen = choices(matrices, problem.known_edges)
    if leads:
        matrices |= followed(model, problem, matrices)
    return {
        "key": run.key,
        **run._asdict(),
        "loss": losses[-1] if losses else None,
        **ranked(matrices, topology, problem, activations(model, problem), run.seed),
        "choices": chosen,
        **({"leads": True} if leads else {}),
        "seconds": round(time.perf_counter() - start, 2),
        "commit": commit(),
    }


def observed_at(topology: Topology, observed: str, seed: int) -> Topology:
    """Perturb and measure all nodes, or so many of them, drawn by the seed."""
    if observed == "own":
        return topology
    count = len(topology.functions)
    shares = (1.0, 1.0) if observed == "all" else (0.3, 0.5)
    rng = np.random.default_rng([seed, count])
    perturbed, measured = (
        np.sort(rng.choice(count, round(share * count), replace=False)) for share in shares
    )
    names = topology.functions
    return replace(
        topology,
        perturbed=perturbed,
        measured=measured,
        inputs=tuple(f"perturbation of {names[node]}" for node in perturbed),
        outputs=tuple(f"measurement of {names[node]}" for node in measured),
    )


def model_of(run: Run, problem: Problem, recipe: Recipe) -> GSNN:
    """Make the model that a run trains, in evaluation mode."""
    model = GSNN(
        problem.edge_index_dict,
        problem.node_names_dict,
        channels=recipe.channels,
        layers=recipe.layers,
        dropout=recipe.dropout,
        norm="batch" if run.norm == "batch" else "none",
        share_layers=run.shared,
        seed=run.seed,
    )
    return model.eval()


def trained(model: GSNN, problem: Problem, recipe: Recipe, seed: int) -> list[float]:
    """Train a model in place, and give the loss of each epoch."""
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    return train(model, x, y, epochs=recipe.epochs, learning_rate=recipe.learning_rate, seed=seed)


def scored(model: GSNN, problem: Problem) -> Iterator[tuple[str, np.ndarray]]:
    """Score a model by the test rows, by every score on both sides of the norm."""
    rows = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    crit = torch.nn.MSELoss()
    for side, use_prenorm in SIDES.items():
        a, g = capture(model, crit, *rows, use_prenorm=use_prenorm)
        seen = Seen(a, g, capture_channels(model, crit, *rows, use_prenorm=use_prenorm))
        found = {name: score(seen) for name, score in SCORES.items()}
        pair = found[MAGNITUDE], found[CHANNELS]
        found[AUTO] = pair[0 if standing(*pair, problem.known_edges).score == "magnitude" else 1]
        for name, W in found.items():
            yield f"{name}, {side}", W


def followed(
    model: GSNN, problem: Problem, matrices: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Give the leads of a trained model, pre-norm, for which both scores are there."""
    rows = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    seen = capture_channels(model, torch.nn.MSELoss(), *rows)
    pair = (matrices[f"trained, {name}, pre-norm"] for name in (MAGNITUDE, CHANNELS))
    columns = (x.numpy() for x in seen[:3])
    observed = Observed(*columns, seen.samples, problem.known_edges, *pair)
    return {name: lead(observed) for name, lead in LEADS.items()}


def choices(matrices: dict[str, np.ndarray], known: np.ndarray) -> dict[str, Any]:
    """Say for each state and side what the known edges chose, and by what."""
    found = {}
    for state in ("untrained", "trained"):
        for side in SIDES:
            pair = (matrices[f"{state}, {name}, {side}"] for name in (MAGNITUDE, CHANNELS))
            why: Standing = standing(*pair, known)
            found[f"{state}, {side}"] = {"score": why.score, **why.as_json()}
    return found


def activations(model: GSNN, problem: Problem) -> torch.Tensor:
    """Give the pre-norm activations of all nodes, (M, N)."""
    rows = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    return capture(model, torch.nn.MSELoss(), *rows)[0]


def ranked(
    matrices: dict[str, np.ndarray],
    topology: Topology,
    problem: Problem,
    observations: torch.Tensor,
    seed: int,
) -> dict[str, Any]:
    """Rank the held-out edges, of validation and test together: nothing is chosen by either.

    Baselines of measured values get the rows that the model is trained on.
    """
    held_out = np.concatenate([problem.validation_edges, problem.test_edges], axis=1)
    found = compare(
        matrices,
        held_out,
        problem.true_edges,
        known_edges=problem.known_edges,
        observations=observations,
        measured=(problem.y_train, topology.measured),
        perturbations=(problem.x_train, topology.perturbed),
        exclude_self=True,
        n_boot=None,
        seed=seed,
    )
    metrics = {
        row.name: {
            "mrr": row.ranking.mrr,
            "average_precision": getattr(row.ranking.separation, "average_precision", None),
            "coverage": row.coverage,
        }
        for row in found.rows
    }
    baselines = [row.name for row in found.rows if row.kind == "baseline"]
    by_chance = found.rows[0].ranking.expected_mrr
    return {
        "queries": held_out.shape[1],
        "expected_mrr": by_chance,
        "metrics": metrics,
        "baselines": baselines,
    }


def heading(records: list[dict[str, Any]]) -> Iterator[str]:
    """Say when, where and with what the tables were made; records may be of other commits."""
    yield from setting()
    yield f"- commits of the records: {', '.join(sorted({r['commit'] for r in records}))}"
    yield f"- runs: {len(records)}, {sum(r['seconds'] for r in records):.0f} s in all"


def tables(records: list[dict[str, Any]], leads: bool) -> Iterator[Iterator[str]]:
    """Give the tables of each setup, as lines."""
    for setup in SETUPS:
        own = [r for r in records if (r["graph"], r["observed"]) == setup]
        if own:
            yield title_of(own)
            for table in tables_of(own, leads):
                yield lines_of(table, own)


def title_of(records: list[dict[str, Any]]) -> Iterator[str]:
    """Name a setup."""
    first = records[0]
    seeds = len({record["seed"] for record in records})
    yield f"## {first['graph']}, {OBSERVED[first['observed']]}"
    yield ""
    yield (
        f"MRR of {first['queries']} held-out edges, self-edges aside; by chance "
        f"{first['expected_mrr']:.3f} (seed {first['seed']}). Means over the seeds ({seeds}), with "
        "95% bootstrap intervals over them where there are several."
    )


def tables_of(records: list[dict[str, Any]], leads: bool) -> Iterator[Table]:
    """Trained models, what training adds, how often magnitudes were chosen, and baselines."""
    names = [f"{name}, {side}" for name in [*SCORES, AUTO] for side in SIDES]

    def mrr(record: dict[str, Any], name: str) -> float:
        return float(record["metrics"][name]["mrr"])

    def gain(record: dict[str, Any], name: str) -> float:
        return mrr(record, f"trained, {name}") - mrr(record, f"untrained, {name}")

    def covered(record: dict[str, Any], name: str) -> float | None:
        return mrr(record, name) if record["metrics"][name]["coverage"] else None

    yield Table("trained", names, lambda record, name: mrr(record, f"trained, {name}"))
    yield Table("trained - untrained", names, gain)

    def magnitudes(record: dict[str, Any], name: str) -> float:
        return float(record["choices"][name]["score"] == "magnitude")

    if leads:
        yield Table("lead, trained, pre-norm", list(LEADS), mrr)
    yield Table("share of magnitudes by auto", list(records[0]["choices"]), magnitudes)
    yield Table("baseline", records[0]["baselines"], covered)


def lines_of(table: Table, records: list[dict[str, Any]]) -> Iterator[str]:
    """Write a table in Markdown."""
    models = [m for m in MODELS if any((r["norm"], r["shared"]) == m for r in records)]
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


def cell_of(values: list[float]) -> str:
    """Write a mean over seeds with its percentile interval; one seed has none."""
    if not values:
        return "-"
    mean = f"{np.mean(values):.3f}"
    if len(values) == 1:
        return mean
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{mean} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
