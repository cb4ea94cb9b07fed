"""Half of the nodes hidden: networks that see masked measurements, and residuals as channels.

    OMP_NUM_THREADS=1 python docs/studies/masked.py --first 30 --seeds 5

The settings (epochs, masks, what is averaged) were chosen on seeds 10 to 14, before the seeds of
the csv file were looked at. MRR of all held-out edges, self-pairs aside; each row is a problem.
"""

from pathlib import Path

import click
import numpy as np
import torch
from provenance import csv_option, write_csv
from study import observed_at

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, evaluate_edges
from gsnn_edges.demo import GSNN, graph, masked_problem, simulate, train
from gsnn_edges.demo.run import Recipe, recipe_for
from gsnn_edges.demo.simulation import Problem

GRAPHS = ("dream4-1", "dream4-2")
# The ranking of today, that others are compared with.
USUAL = "trained and untrained"
MASKED, RESIDUALS = "masked, trained and untrained", "residuals, trained and untrained"


@click.command(help=__doc__)
@click.option("--seeds", default=5, show_default=True, help="Seeds of each graph.")
@click.option("--first", default=30, show_default=True, help="The first of them.")
@csv_option("masked.csv")
def main(seeds: int, first: int, file: Path) -> None:
    """Make all problems, and write the MRR of each ranking."""
    problems = [(name, seed) for seed in range(first, first + seeds) for name in GRAPHS]
    rows = [{"graph": name, "seed": seed, **ranked(name, seed)} for name, seed in problems]
    write_csv(file, rows)
    usual = np.array([row[USUAL] for row in rows])
    for name in list(rows[0])[2:]:
        mrr = np.array([row[name] for row in rows])
        low, high = interval(mrr, usual)
        better = int((mrr > usual).sum())
        click.echo(
            f"{name}: {mrr.mean():.3f}, ratio {mrr.mean() / usual.mean():.2f} "
            f"[{low:.2f}, {high:.2f}], better in {better} of {len(rows)}"
        )


def interval(mrr: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """95% interval of the ratio of means, by a bootstrap over problems."""
    draws = np.random.default_rng(0).integers(0, len(mrr), (10_000, len(mrr)))
    return np.percentile(mrr[draws].mean(1) / usual[draws].mean(1), [2.5, 97.5])


def ranked(name: str, seed: int) -> dict[str, float]:
    """MRR of each ranking of one problem."""
    topology = observed_at(graph(name), "part", seed)
    recipe = recipe_for(topology)
    problem = simulate(topology, seed=seed, train_rows=recipe.train_rows)
    held_out = np.concatenate([problem.validation_edges, problem.test_edges], axis=1)
    plain, before = networks(problem, recipe, seed, masked=False)
    data = problem.x_test, problem.y_test
    seen = {"score": "channels", "measured": topology.measured}
    found = {
        "original": plain.infer(*data, score="magnitude"),
        "trained": plain.infer(*data, score="channels"),
        "untrained": before.infer(*data, score="channels"),
        USUAL: plain.infer(*data, score="channels", untrained=1),
        "residuals, trained": plain.infer(*data, **seen),
        RESIDUALS: plain.infer(*data, **seen, untrained=1),
    }
    masked, before = networks(masked_problem(problem), recipe, seed, masked=True)
    drawn = {"score": "channels", "masks": 4, "seed": seed}
    found |= {
        "masked, trained": masked.infer(*data, **drawn),
        "masked, untrained": before.infer(*data, **drawn),
        MASKED: masked.infer(*data, **drawn, untrained=1),
    }
    found["mean of masked and residuals"] = EdgeEvidence.mean([found[MASKED], found[RESIDUALS]])
    rankings = {
        score: evaluate_edges(
            evidence.W, held_out, problem.true_edges, exclude_self=True, n_resamples=None
        )
        for score, evidence in found.items()
    }
    mrr = {score: round(ranking.mrr, 4) for score, ranking in rankings.items()}
    return {"chance": round(rankings[USUAL].expected_mrr, 4), **mrr}


def networks(
    problem: Problem, recipe: Recipe, seed: int, *, masked: bool
) -> tuple[FunctionEdgeInferer, FunctionEdgeInferer]:
    """Inferers of a trained network and of the same one untrained."""
    inferers = []
    for epochs in (recipe.epochs, 0):
        model = GSNN(
            problem.edge_index_dict,
            problem.node_names_dict,
            channels=recipe.channels,
            layers=recipe.layers,
            dropout=0.0,
            seed=seed,
        )
        train(
            model,
            torch.from_numpy(problem.x_train),
            torch.from_numpy(problem.y_train),
            epochs=epochs,
            learning_rate=recipe.learning_rate,
            seed=seed,
            masked=masked,
        )
        inferers.append(FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges))
    return inferers[0], inferers[1]


if __name__ == "__main__":
    main()
