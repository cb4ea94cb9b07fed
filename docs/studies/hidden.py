"""Compare scores where half of the nodes are hidden: docs/studies/hidden.csv.

    OMP_NUM_THREADS=1 python docs/studies/hidden.py --first 30

30% of the nodes are perturbed and 50% measured, on dream4-1 and dream4-2. Data are those of
``gsnn_edges.demo.simulate``, and those of a second simulator, outside the class of the structural
equation model: each node saturates at limits of its own, above and below, and noise is Student's t
with 3 degrees of freedom and another size at each node. Nothing is chosen by these seeds.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import click
import numpy as np
import scipy.stats
import torch
from provenance import csv_option, write_csv
from study import Run, model_of, observed_at, trained

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
from gsnn_edges.baselines import compare, structural_score
from gsnn_edges.baselines.structural import STRUCTURAL
from gsnn_edges.demo.run import recipe_for
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology, graph

SIMULATORS = ("tanh", "saturating")
_STEPS, _TOLERANCE = 1_000, 1e-6


def problem_of(name: str, seed: int, simulator: str) -> tuple[Topology, Problem]:
    """A half-hidden problem of a graph; the held-out edges are those of ``simulate``."""
    topology = observed_at(graph(name), "part", seed)
    problem = simulate(topology, seed=seed, train_rows=recipe_for(topology).train_rows)
    if simulator == "saturating":
        problem = saturating(topology, problem, np.random.default_rng([seed, 1]))
    return topology, problem


def saturating(topology: Topology, problem: Problem, rng: np.random.Generator) -> Problem:
    """The same problem with data of the second simulator."""
    nodes, (source, target) = len(topology.functions), topology.edges
    weights = np.zeros((nodes, nodes))
    signs = rng.choice([-1.0, 1.0], len(source))
    weights[target, source] = signs * rng.uniform(0.5, 1.5, len(source))
    low, high = rng.uniform(0.5, 2.0, (2, nodes))
    sizes = 0.25 * np.exp(0.5 * rng.standard_normal(nodes))
    train, test = len(problem.x_train), len(problem.x_test)
    rows = 2 * (train + test)  # rows that do not settle are left out
    x = rng.standard_normal((rows, len(topology.inputs)))
    drive = sizes * rng.standard_t(3, (rows, nodes)) / np.sqrt(3)
    drive[:, topology.perturbed] += x
    values, moving = np.zeros_like(drive), np.arange(rows)
    for _ in range(_STEPS):
        u = values[moving] @ weights.T + drive[moving]
        change = u / (1 + np.abs(u) / np.where(u > 0, high, low)) - values[moving]
        values[moving] += 0.3 * change
        moving = moving[np.abs(change).max(axis=1) > _TOLERANCE]
    settled = np.delete(np.arange(rows), moving)
    kept = settled[: train + test]
    if len(kept) < train + test:
        raise ValueError(f"only {len(kept)} of {rows} rows settle")
    y = values[kept][:, topology.measured]
    noise = rng.uniform(0.05, 0.3, y.shape[1]) * y.std(axis=0)
    y = y + noise * rng.standard_t(3, y.shape) / np.sqrt(3)
    y = (y - y[:train].mean(axis=0)) / y[:train].std(axis=0)
    x, y = x[kept].astype(np.float32), y.astype(np.float32)
    parts = {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}
    return replace(problem, **parts)


def networks(topology: Topology, problem: Problem, seed: int) -> EdgeEvidence:
    """Channel scores of a trained and an untrained network, their mean: T+U."""
    recipe = recipe_for(topology)
    run = Run(topology.name, "part", "none", False, seed, recipe.epochs)
    model = model_of(run, problem, recipe)
    trained(model, problem, recipe, seed)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    rows = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    return inferer.infer(*rows, score="channels", layers="mean", untrained=1)


def scored(
    name: str, seed: int, simulator: str, saved: Path | None
) -> dict[str, float | str | int]:
    """MRR of each score over the held-out edges of a problem, self-edges aside.

    Seeds 10 to 14 chose the Bayes factor and the fusion with it, before others were looked at.
    """
    topology, problem = problem_of(name, seed, simulator)
    held_out = np.concatenate([problem.validation_edges, problem.test_edges], axis=1)
    if saved and saved.exists():
        of_networks = EdgeEvidence.load(saved)
    else:
        of_networks = networks(topology, problem, seed)
        if saved:
            of_networks.save(saved)
    data = (problem.y_train, topology.measured), (problem.x_train, topology.perturbed)
    names = list(topology.functions)
    structural = {
        statistic: EdgeEvidence(
            structural_score(*data, problem.known_edges, names, statistic=statistic),
            names,
            method="structural",
        )
        for statistic in ("z", "bayes_factor")
    }
    fused = EdgeEvidence.fuse([of_networks, structural["bayes_factor"]])
    rows, columns = (
        compare(
            {"T+U": of_networks, "fused": fused},
            held_out,
            problem.true_edges,
            known_edges=problem.known_edges,
            measured=data[0],
            perturbations=data[1],
            exclude_self=True,
            n_resamples=None,
            permuted=1,
            permute=permute,
            seed=seed,
        )
        for permute in ("rows", "columns")
    )
    mrrs = {row.name: row.ranking.mrr for row in rows.rows}
    for score in STRUCTURAL:
        mrrs[f"{score}, rows permuted"] = rows[score].permuted.mrr
        mrrs[f"{score}, columns permuted"] = columns[score].permuted.mrr
    return {"graph": name, "simulator": simulator, "seed": seed, **mrrs}


@click.command(help=__doc__)
@click.option("--seeds", default=5, show_default=True, help="Seeds of each graph.")
@click.option("--first", default=30, show_default=True, help="The first of them.")
@click.option(
    "--evidence",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the networks' evidence, which is not made again where it is there.",
)
@csv_option("hidden.csv")
def main(seeds: int, first: int, evidence: Path | None, file: Path) -> None:
    """Score every problem, and write a row for each."""
    problems = product(SIMULATORS, ("dream4-1", "dream4-2"), range(first, first + seeds))
    found = []
    for simulator, name, seed in problems:
        saved = evidence and evidence / f"{simulator} {name} {seed}.npz"
        found.append(scored(name, seed, simulator, saved))
        click.echo(f"{simulator} {name} {seed}", err=True)
    write_csv(file, [{k: _short(v) for k, v in row.items()} for row in found])
    for simulator in SIMULATORS:
        rows = [row for row in found if row["simulator"] == simulator]
        click.echo(simulator)
        for score in list(rows[0])[3:]:
            mrrs, before = (np.array([row[k] for row in rows]) for k in (score, "T+U"))
            ratio, better = mrrs.mean() / before.mean(), (mrrs > before).sum()
            click.echo(f"  {score}: {mrrs.mean():.3f}, {ratio:.2f} times, better in {better}")
            low, high = student(mrrs - before)
            click.echo(f"    minus T+U {(mrrs - before).mean():+.3f} [{low:.3f}, {high:.3f}]")


def _short(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value


def student(values: np.ndarray) -> tuple[float, float]:
    """The 95% interval of a mean over problems, by Student's t."""
    error = scipy.stats.sem(values)
    if not error:
        return 0.0, 0.0
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, values.mean(), error)
    return float(low), float(high)


if __name__ == "__main__":
    main()
