"""Whether proposed edges help prediction more than random ones of the same degrees.

    OMP_NUM_THREADS=1 python docs/studies/confirm.py
    OMP_NUM_THREADS=1 python docs/studies/confirm.py --liver cellnopt.data-1.0.3.tar.gz \
        --csv docs/studies/confirm_liver.csv

The ten strongest new pairs of ``infer(untrained=1)`` are added to the known graph, and networks are
trained with them, with random edges and without. Rows that validate are used for nothing else. On
dream4 a fifth of the edges is held out, and half of the nodes are hidden or none is. On the liver
sets nothing is held out, and each random quarter of the rows validates once. Losses are mean
squared errors; outputs have variance 1.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from provenance import csv_option, write_csv
from study import observed_at

from gsnn_edges import FunctionEdgeInferer
from gsnn_edges.baselines import confirm_edges
from gsnn_edges.demo import GSNN, Topology, graph, liver, simulate, train
from gsnn_edges.demo.simulation import edge_index_dict_of

Pair = tuple[torch.Tensor, torch.Tensor]
K = 10


class Case(NamedTuple):
    """A problem: what is trained on, what evidence is of, what validates, and settings."""

    name: str
    topology: Topology
    known: np.ndarray
    true: np.ndarray
    train: Pair
    evidence: Pair
    validation: Pair
    options: dict[str, float]


@click.command(help=__doc__)
@click.option("--liver", "path", type=click.Path(exists=True), help="The sdist of cellnopt.data.")
@click.option("--draws", default=5, show_default=True, help="Draws of random edges.")
@csv_option("confirm.csv")
def main(path: str | None, draws: int, file: Path) -> None:
    """Confirm the edges of all problems, of simulations or of the liver data."""
    rows = []
    for case in simulated() if path is None else measured(path):
        rows.append(confirmed(case, draws))
        click.echo(rows[-1], err=True)
    write_csv(file, rows)


def simulated() -> Iterator[Case]:
    """Problems of two graphs, two seeds."""
    options = {"epochs": 25, "batch_size": 128}
    for observed in ("part", "all"):
        for seed in (30, 31):
            for name in ("dream4-1", "dream4-2"):
                topology = observed_at(graph(name), observed, seed)
                p = simulate(topology, seed=seed, train_rows=2_000)
                x, y = (torch.from_numpy(rows) for rows in (p.x_test, p.y_test))
                yield Case(
                    f"{name}, seed {seed}, {'half hidden' if observed == 'part' else 'all seen'}",
                    topology,
                    p.known_edges,
                    p.true_edges,
                    (torch.from_numpy(p.x_train), torch.from_numpy(p.y_train)),
                    (x[:250], y[:250]),
                    (x[250:], y[250:]),
                    options,
                )


def measured(path: str) -> Iterator[Case]:
    """The liver data, each quarter of their rows."""
    options = {"epochs": 100, "batch_size": 32}
    for name in ("HepG2", "PriHu", "LiverMSB"):
        data = liver(name, path)
        edges, order = data.topology.edges, np.random.default_rng(0).permutation(len(data.x))
        for quarter in range(4):
            here = np.isin(np.arange(len(order)), order[quarter::4])
            seen, rest = (
                (torch.from_numpy(data.x[rows]), torch.from_numpy(data.y[rows]))
                for rows in (~here, here)
            )
            case = f"{name}, quarter {quarter + 1}"
            yield Case(case, data.topology, edges, edges, seen, seen, rest, options)


def confirmed(case: Case, draws: int) -> dict[str, object]:
    """Losses of one problem."""
    crit = torch.nn.MSELoss()

    def trained(edges: np.ndarray, seed: int) -> GSNN:
        edge_index_dict = edge_index_dict_of(case.topology, edges)
        names = case.topology.node_names_dict
        model = GSNN(edge_index_dict, names, channels=5, layers=6, dropout=0.0, seed=seed)
        train(model, *case.train, learning_rate=5e-3, seed=seed, **case.options)
        return model

    def retrain(edges: np.ndarray, seed: int) -> float:
        model = trained(edges, seed)
        with torch.no_grad():
            return crit(model(case.validation[0]), case.validation[1]).item()

    inferer = FunctionEdgeInferer(trained(case.known, 0), crit, case.known)
    evidence = inferer.infer(*case.evidence, score="channels", untrained=1)
    found = confirm_edges(evidence, K, retrain=retrain, n_draws=draws, removals=0)
    true = set(zip(*case.true.tolist(), strict=True))
    right = sum(pair in true for pair in zip(*found.edges.tolist(), strict=True))
    line: dict[str, object] = {"problem": case.name, "right": f"{right} of {K}"}
    line["loss"] = f"{found.proposed.mean():.4f}"
    for other in ("random", "without"):
        difference, interval = found.difference(other)
        line |= {
            f"minus {other}": f"{difference:.4f}",
            f"{other} low": f"{interval.low:.4f}",
            f"{other} high": f"{interval.high:.4f}",
        }
    return line


if __name__ == "__main__":
    main()
