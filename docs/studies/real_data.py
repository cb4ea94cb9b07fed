"""Phospho-proteins of liver cells: every score and baseline beside its permuted control.

    OMP_NUM_THREADS=1 python docs/studies/real_data.py cellnopt.data-1.0.3.tar.gz

Five folds over the known edges of three data sets; networks are trained and scored on all rows. Two
controls, drawn anew for each fold and trained anew: the rows of the measurements are permuted, all
columns alike, so that they still correlate with each other; or each column by itself. Settings are
those of ``gsnn-edges demo`` for an edge list but for 100 epochs in batches of 32; nothing was
chosen by what was found. Intervals: a bootstrap over all held-out edges.
"""

import warnings
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
DATA, CONTROLS = "data", ("rows permuted", "columns permuted")
# Reciprocal ranks of each score, fold by fold.
Ranks = dict[str, list[np.ndarray]]


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--folds", default=FOLDS, show_default=True, help="Folds to run.")
@csv_option("real_data.csv")
def main(path: Path, folds: int, file: Path) -> None:
    """Run all folds of all sets, and write MRR, control and difference of each score."""
    warnings.filterwarnings("ignore", ".*have constant gradients")
    rows, chance = [], []
    pooled: dict[str, Ranks] = {kind: {} for kind in (DATA, *CONTROLS)}
    for name in SETS:
        here: dict[str, Ranks] = {kind: {} for kind in pooled}
        for fold in range(folds):
            chance.append(add_fold(here, liver(name, path), fold))
        rows += summary(name, here)
        for kind, ranks in here.items():
            for score, some in ranks.items():
                pooled[kind].setdefault(score, []).extend(some)
    rows += summary("pooled", pooled)
    trained, untrained = (np.concatenate(pooled[DATA][name]) for name in (TRAINED, UNTRAINED))
    difference = mean_and_interval(trained - untrained)
    write_csv(file, rows)
    click.echo(f"MRR by chance {np.mean(chance):.3f}; trained minus untrained {difference}")


def add_fold(ranks: dict[str, Ranks], data: Measurements, fold: int) -> float:
    """Reciprocal ranks of the held-out edges of a fold, by all scores; the MRR by chance."""
    problem, rng = data.problem(fold, folds=FOLDS), np.random.default_rng(fold)
    for kind, some in ranks.items():
        y = {
            "data": lambda: data.y,
            "rows permuted": lambda: rng.permutation(data.y),
            "columns permuted": lambda: rng.permuted(data.y, axis=0),
        }[kind]()
        each = replace(problem, y_train=y, y_test=y)
        measured, perturbed = (y, data.topology.measured), (data.x, data.topology.perturbed)
        found = {name: evidence.W for name, evidence in inferred(each, data, fold).items()}
        comparison = compare(
            found,
            problem.test_edges,
            problem.true_edges,
            known_edges=problem.known_edges,
            measured=measured,
            perturbations=perturbed,
            exclude_self=True,
            n_resamples=None,
            seed=fold,
        )
        for compared in comparison.rows:
            reciprocal = 1 / compared.ranking.queries.ranks.realistic
            some.setdefault(compared.name, []).append(reciprocal)
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


def summary(name: str, ranks: dict[str, Ranks]) -> list[dict[str, object]]:
    """MRR, controls and differences of each score."""
    rows = []
    for score in ranks[DATA]:
        data, *controls = (np.concatenate(ranks[kind][score]) for kind in ranks)
        row = {"set": name, "score": score, "edges": len(data), "mrr": f"{data.mean():.3f}"}
        for kind, control in zip(CONTROLS, controls, strict=True):
            row |= {kind: f"{control.mean():.3f}"}
            row |= {f"minus {kind}": mean_and_interval(data - control)}
        rows.append(row)
    return rows


def mean_and_interval(differences: np.ndarray) -> str:
    """The mean and its 95% interval, by a bootstrap over edges."""
    draws = np.random.default_rng(0).integers(0, len(differences), (10_000, len(differences)))
    low, high = np.percentile(differences[draws].mean(1), [2.5, 97.5])
    return f"{differences.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
