"""Run the study of scores: which finds held-out edges, beside which baselines, and for which model.

    OMP_NUM_THREADS=1 python docs/studies/study.py --seeds 5 --leads --records study.jsonl
    OMP_NUM_THREADS=1 python docs/studies/study.py --seeds 4 --graph ligand-receptor --csv more.csv

A record of each model is written as soon as it is made, and one that is there with all that is
asked for is not made again: a study that was cut off goes on where it was. Settings are those of
``gsnn-edges demo`` for each graph, but for what the csv file names. Nothing is chosen by a score,
and all runs are in the records.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from leads import LEADS, Observed
from provenance import commit, csv_option, write_csv
from study_tables import rows

from gsnn_edges import cross_correlation
from gsnn_edges.activations import ChannelObservations, capture, capture_channels
from gsnn_edges.baselines import compare
from gsnn_edges.channels import channel_correlation
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.run import Recipe, recipe_for, train
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology, graph
from gsnn_edges.layer_pairs import layer_pairs
from gsnn_edges.scoring import ScoreComparison, compare_scores

SMALL = ("tutorial", "dream4-1", "dream4-2")
# Asked for by name: a model of it takes minutes, so there is one kind of model.
LARGE = "ligand-receptor"
GRAPHS = (*SMALL, LARGE)
# What is perturbed and measured: what the graph names, all nodes, or 30% and 50% of them.
OBSERVED = ("own", "all", "part")
SETUPS = [
    ("tutorial", "own"),
    *((name, observed) for name in SMALL for observed in ("all", "part")),
    (LARGE, "own"),
]
MODELS = [(norm, shared) for norm in ("none", "batch") for shared in (False, True)]
SIDES = {"pre-norm": True, "post-norm": False}
CRIT = torch.nn.MSELoss()


Pair = tuple[torch.Tensor, torch.Tensor]
Score = Callable[[torch.Tensor, torch.Tensor], np.ndarray]


class Seen(NamedTuple):
    """What a model showed of the test rows, pre-norm or post-norm.

    Sums over the channels of each node, of magnitudes, of squares and of the signed values; and the
    channels themselves.
    """

    magnitudes: Pair
    squares: Pair
    signed: Pair
    channels: ChannelObservations


def seen_of(model: GSNN, rows: Pair, use_prenorm: bool = True) -> Seen:
    """Capture all that the scores take."""
    sums = [
        capture(model, CRIT, *rows, use_prenorm=use_prenorm, norm=norm)
        for norm in ("l1", "l2", "none")
    ]
    return Seen(*sums, capture_channels(model, CRIT, *rows, use_prenorm=use_prenorm))


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


def correlation(a: torch.Tensor, g: torch.Tensor) -> np.ndarray:
    """Correlate columns of nodes."""
    found: np.ndarray = cross_correlation(a, g).numpy()
    return found


def absolute(a: torch.Tensor, g: torch.Tensor) -> np.ndarray:
    """Correlate columns of nodes, and drop the signs."""
    return np.abs(correlation(a, g))


def channels(seen: ChannelObservations, n_components: int | None = None) -> Score:
    """The score of blocks of correlations, for the channels that were seen."""

    def score(a: torch.Tensor, g: torch.Tensor) -> np.ndarray:
        found = channel_correlation(a, g, seen.nodes, seen.nodes, n_components=n_components)
        return np.asarray(found.numpy())

    return score


def mean_over_pairs(score: Score, pair: Pair, samples: int) -> np.ndarray:
    """Average the matrices of all layer pairs."""
    return np.asarray(np.mean([score(*part) for part in layer_pairs(*pair, samples)], axis=0))


def over_pairs(seen: Seen, n_components: int | None = None) -> np.ndarray:
    """Average the channel scores of all layer pairs."""
    own = seen.channels
    return mean_over_pairs(channels(own, n_components), (own.a, own.g), own.samples)


def last_pair(seen: ChannelObservations) -> np.ndarray:
    """Take the channels of the last layer pair alone."""
    return channels(seen)(seen.a[-seen.samples :], seen.g[-seen.samples :])


# The two scores that the known edges choose from, and what they choose.
MAGNITUDE, CHANNELS, AUTO = "magnitude, pooled", "channels, mean over pairs", "auto"
# The channel score as `infer(untrained=1)` gives it, pre-norm.
BOTH = "channels, mean of trained and untrained"

# A score is a line here; it gives (N, N) on the host.
SCORES: dict[str, Callable[[Seen], np.ndarray]] = {
    MAGNITUDE: lambda seen: correlation(*seen.magnitudes),
    "magnitude, mean over pairs": lambda seen: mean_over_pairs(
        correlation, seen.magnitudes, seen.channels.samples
    ),
    "squares, pooled": lambda seen: correlation(*seen.squares),
    "signed sums, pooled": lambda seen: absolute(*seen.signed),
    "signed sums, mean over pairs": lambda seen: mean_over_pairs(
        absolute, seen.signed, seen.channels.samples
    ),
    CHANNELS: over_pairs,
    "channels, two components": lambda seen: over_pairs(seen, n_components=2),
    "channels, pooled": lambda seen: channels(seen.channels)(seen.channels.a, seen.channels.g),
    "channels, last pair": lambda seen: last_pair(seen.channels),
}
NAMES = [*SCORES, AUTO]


@click.command(help=__doc__)
@click.option("--seeds", default=5, show_default=True, help="Seeds of each setting.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option(
    "--graph", "graphs", type=click.Choice(GRAPHS), multiple=True, default=SMALL, help="Graphs."
)
@click.option(
    "--observed",
    type=click.Choice(OBSERVED),
    multiple=True,
    default=OBSERVED,
    help="What is seen.",
)
@click.option("--epochs", type=int, help="By default as many as suit the graph.")
@click.option("--leads", is_flag=True, help="Add what was tried and did not win (leads.py).")
@click.option(
    "--records",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("study.jsonl"),
    show_default=True,
    help="File of JSON lines, one for each model.",
)
@csv_option("study.csv")
def main(
    seeds: int,
    first: int,
    graphs: tuple[str, ...],
    observed: tuple[str, ...],
    epochs: int | None,
    leads: bool,
    records: Path,
    file: Path,
) -> None:
    """Run what is missing, and write what came of it."""
    made = read(records)
    setups = [setup for setup in SETUPS if setup[0] in graphs and setup[1] in observed]
    wanted = list(runs(setups, range(first, first + seeds), epochs))
    for place, run in enumerate(wanted):
        if not holds(made.get(run.key), leads):
            click.echo(f"{place + 1} of {len(wanted)}: {run.key}", err=True)
            made[run.key] = record_of(run, leads)
            write(records, made)
    shown = [made[run.key] for run in wanted]
    scores = [f"{name}, {side}" for name in NAMES for side in SIDES]
    write_csv(file, rows(shown, [*scores, BOTH], [*LEADS]))


def runs(setups: list[tuple[str, str]], seeds: range, epochs: int | None) -> Iterator[Run]:
    """All runs, whole seeds first."""
    usual = {name: recipe_for(graph(name)).epochs for name in GRAPHS}
    for seed in seeds:
        for name, observed in setups:
            for norm, shared in MODELS[:1] if name == LARGE else MODELS:
                many = usual[name] if epochs is None else epochs
                yield Run(name, observed, norm, shared, seed, many)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The records that are there, by the key of their run."""
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
    matrices[BOTH] = np.mean(
        [matrices[f"{state}, {CHANNELS}, pre-norm"] for state in ("trained", "untrained")], axis=0
    )
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
    for side, use_prenorm in SIDES.items():
        seen = seen_of(model, rows_of(problem), use_prenorm)
        found = {name: score(seen) for name, score in SCORES.items()}
        pair = found[MAGNITUDE], found[CHANNELS]
        found[AUTO] = pair[
            0 if compare_scores(*pair, problem.known_edges).score == "magnitude" else 1
        ]
        for name, W in found.items():
            yield f"{name}, {side}", W


def rows_of(problem: Problem) -> Pair:
    """The rows that scores are made of."""
    return torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)


def followed(
    model: GSNN, problem: Problem, matrices: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The leads of a trained model, pre-norm, for which both scores are there."""
    seen = capture_channels(model, CRIT, *rows_of(problem))
    observed = Observed(
        a=seen.a.numpy(),
        g=seen.g.numpy(),
        nodes=seen.nodes.numpy(),
        samples=seen.samples,
        known=problem.known_edges,
        magnitude=matrices[f"trained, {MAGNITUDE}, pre-norm"],
        channels=matrices[f"trained, {CHANNELS}, pre-norm"],
    )
    return {name: lead(observed) for name, lead in LEADS.items()}


def choices(matrices: dict[str, np.ndarray], known: np.ndarray) -> dict[str, Any]:
    """Say for each state and side what the known edges chose, and by what."""
    found = {}
    for state in ("untrained", "trained"):
        for side in SIDES:
            pair = (matrices[f"{state}, {name}, {side}"] for name in (MAGNITUDE, CHANNELS))
            why: ScoreComparison = compare_scores(*pair, known)
            found[f"{state}, {side}"] = {"score": why.score, **why.as_json()}
    return found


def activations(model: GSNN, problem: Problem) -> torch.Tensor:
    """The pre-norm activations of all nodes, (M, N)."""
    return capture(model, CRIT, *rows_of(problem))[0]


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
        n_resamples=None,
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


if __name__ == "__main__":
    main()
