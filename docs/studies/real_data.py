"""Phospho-proteins of liver cells: every score and baseline beside its permuted control.

    OMP_NUM_THREADS=1 python docs/studies/real_data.py cellnopt.data-1.0.3.tar.gz

Five folds over the known edges of three data sets; networks are trained and scored on all rows. The
control permutes the rows of the measurements, another permutation for each fold, and trains anew.
Settings are those of ``gsnn-edges demo`` for an edge list but for 100 epochs in batches of 32;
nothing was chosen by what was found. Intervals: a bootstrap over all held-out edges.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from provenance import csv_option, write_csv

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, compare
from gsnn_edges.demo import GSNN, liver, masked_problem, train
from gsnn_edges.demo.liver_data import Measurements
from gsnn_edges.demo.simulation import Problem

SETS = ("HepG2", "PriHu", "LiverMSB")
FOLDS = 5
TRAINED, UNTRAINED = "channels, trained", "channels, untrained"
# Reciprocal ranks of each score: those of the data, and those of permuted rows.
Ranks = dict[str, list[np.ndarray]]


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--folds", default=FOLDS, show_default=True, help="Folds to run.")
@csv_option("real_data.csv")
def main(path: Path, folds: int, file: Path) -> None:
    """Run all folds of all sets, and write MRR, control and difference of each score."""
    rows, pooled, chance = [], ({}, {}), []
    for name in SETS:
        here: tuple[Ranks, Ranks] = ({}, {})
        for fold in range(folds):
            chance.append(add_fold(here, liver(name, path), fold))
        rows += summary(name, here)
        for all_sets, ranks in zip(pooled, here, strict=True):
            for score, some in ranks.items():
                all_sets.setdefault(score, []).extend(some)
    rows += summary("pooled", pooled)
    gained = [a - b for a, b in zip(pooled[0][TRAINED], pooled[0][UNTRAINED], strict=True)]
    rows.append(row("pooled", "trained minus untrained", np.concatenate(gained)))
    write_csv(file, rows)
    click.echo(f"MRR by chance {np.mean(chance):.3f}")


def add_fold(ranks: tuple[Ranks, Ranks], data: Measurements, fold: int) -> float:
    """Reciprocal ranks of the held-out edges of a fold, by all scores; the MRR by chance."""
    problem = data.problem(fold, folds=FOLDS)
    order = np.random.default_rng(fold).permutation(len(data.y))
    permuted = replace(problem, y_train=data.y[order], y_test=data.y[order])
    for each, some in zip((problem, permuted), ranks, strict=True):
        comparison = compare(
            {name: evidence.W for name, evidence in inferred(each, data, fold).items()},
            problem.test_edges,
            problem.true_edges,
            known_edges=problem.known_edges,
            measured=(each.y_train, data.topology.measured),
            perturbations=(each.x_train, data.topology.perturbed),
            exclude_self=True,
            n_resamples=None,
            seed=fold,
        )
        for compared in comparison.rows:
            found = 1 / compared.ranking.queries.ranks.realistic
            some.setdefault(compared.name, []).append(found)
    return comparison.rows[0].ranking.expected_mrr


def inferred(problem: Problem, data: Measurements, seed: int) -> dict[str, EdgeEvidence]:
    """Rankings by networks that see inputs only, and by those that see measurements too."""
    rows = problem.x_test, problem.y_test
    plain = {"score": "channels"}
    residuals = {**plain, "measured": data.topology.measured}
    masks = {**plain, "masks": 4, "seed": seed}
    trained, untrained = networks(problem, seed, masked=False)
    masked, _ = networks(masked_problem(problem), seed, masked=True)
    return {
        "the original's": trained.infer(*rows, score="magnitude"),
        TRAINED: trained.infer(*rows, **plain),
        UNTRAINED: untrained.infer(*rows, **plain),
        "trained and untrained": trained.infer(*rows, **plain, untrained=1),
        "residuals, trained and untrained": trained.infer(*rows, **residuals, untrained=1),
        "masked, trained and untrained": masked.infer(*rows, **masks, untrained=1),
    }


def networks(
    problem: Problem, seed: int, *, masked: bool, epochs: int = 100
) -> tuple[FunctionEdgeInferer, FunctionEdgeInferer]:
    """Inferers of a trained network and of the same one untrained."""
    inferers = []
    for steps in (epochs, 0):
        model = GSNN(
            problem.edge_index_dict,
            problem.node_names_dict,
            channels=5,
            layers=6,
            dropout=0.0,
            seed=seed,
        )
        x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
        options = {"epochs": steps, "learning_rate": 5e-3, "batch_size": 32, "masked": masked}
        train(model, x, y, seed=seed, **options)
        inferers.append(FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges))
    return inferers[0], inferers[1]


def summary(name: str, ranks: tuple[Ranks, Ranks]) -> list[dict[str, object]]:
    """MRR, control and difference of each score."""
    data, permuted = ({s: np.concatenate(some) for s, some in each.items()} for each in ranks)
    return [
        row(name, score, data[score] - permuted[score], data[score], permuted[score])
        for score in data
    ]


def row(
    name: str,
    score: str,
    differences: np.ndarray,
    data: np.ndarray | None = None,
    permuted: np.ndarray | None = None,
) -> dict[str, object]:
    """A line of the csv file; the interval is that of the mean difference."""
    draws = np.random.default_rng(0).integers(0, len(differences), (10_000, len(differences)))
    low, high = np.percentile(differences[draws].mean(1), [2.5, 97.5])
    means = ["" if part is None else f"{part.mean():.3f}" for part in (data, permuted)]
    return {
        "set": name,
        "score": score,
        "edges": len(differences),
        "mrr": means[0],
        "permuted": means[1],
        "difference": f"{differences.mean():.3f}",
        "low": f"{low:.3f}",
        "high": f"{high:.3f}",
    }


if __name__ == "__main__":
    main()
