"""How many principal directions of a node the channel score needs: the table of docs/study.md.

    OMP_NUM_THREADS=1 python docs/directions.py

All nodes are perturbed and measured; settings are else those of ``gsnn-edges demo``.
"""

from dataclasses import replace
from statistics import fmean

import click
import numpy as np
import torch

from gsnn_edges import FunctionEdgeInferer, evaluate_edges
from gsnn_edges.demo import GSNN, train
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology, graph
from gsnn_edges.demo.training import recipe_for

SETUPS = (("dream4-1", 5), ("dream4-2", 5), ("dream4-1", 16))
DIRECTIONS = (None, 1, 2, 3, 4)


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True, help="Seeds of each graph, from 0.")
def main(seeds: int) -> None:
    """Train, score by each number of directions, and print the mean MRR."""
    click.echo("| graph | channels | all | " + " | ".join(map(str, DIRECTIONS[1:])) + " |")
    click.echo("| --- | --: |" + " --: |" * len(DIRECTIONS))
    for name, channels in SETUPS:
        found = [scores(name, channels, seed) for seed in range(seeds)]
        cells = " | ".join(f"{fmean(column):.3f}" for column in zip(*found, strict=True))
        click.echo(f"| {name} | {channels} | {cells} |")


def scores(name: str, channels: int, seed: int) -> list[float]:
    """MRR of the held-out edges by each number of directions."""
    topology = everywhere(graph(name))
    recipe = recipe_for(topology)
    problem = simulate(topology, seed=seed, train_rows=recipe.train_rows)
    options = {"layers": recipe.layers, "dropout": recipe.dropout}
    model = GSNN(
        problem.edge_index_dict, problem.node_names_dict, channels=channels, seed=seed, **options
    )
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    train(model, x, y, epochs=recipe.epochs, learning_rate=recipe.learning_rate, seed=seed)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    return [mrr_of(inferer, problem, k) for k in DIRECTIONS]


def everywhere(topology: Topology) -> Topology:
    """Perturb and measure every node."""
    nodes = np.arange(len(topology.functions))
    names = {kind: tuple(f"{kind}{k}" for k in nodes) for kind in ("in", "out")}
    return replace(
        topology, perturbed=nodes, measured=nodes, inputs=names["in"], outputs=names["out"]
    )


def mrr_of(inferer: FunctionEdgeInferer, problem: Problem, directions: int | None) -> float:
    """Rank the held-out edges among all pairs but self-edges."""
    W = inferer.fit(problem.x_test, problem.y_test, score="channels", directions=directions)
    held_out = np.concatenate([problem.validation_edges, problem.test_edges], axis=1)
    found = evaluate_edges(
        W, held_out, problem.true_edges, exclude_self=True, n_boot=None, pool_metrics=False
    )
    return found.mrr


if __name__ == "__main__":
    main()
