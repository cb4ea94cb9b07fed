"""How many principal directions of a node the channel score needs: the table of docs/study.md.

    OMP_NUM_THREADS=1 python docs/directions.py

All nodes are perturbed and measured; settings are else those of ``gsnn-edges demo``.
"""

from dataclasses import replace
from statistics import fmean

import click
from choice import mrr_of
from study import Run, model_of, observed_at, over_pairs, rows_of, seen_of, trained

from gsnn_edges.demo.run import recipe_for
from gsnn_edges.demo.simulation import simulate
from gsnn_edges.demo.topologies import graph

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
    topology = observed_at(graph(name), "all", seed)
    recipe = replace(recipe_for(topology), channels=channels)
    problem = simulate(topology, seed=seed, train_rows=recipe.train_rows)
    model = model_of(Run(name, "all", "none", False, seed, recipe.epochs), problem, recipe)
    trained(model, problem, recipe, seed)
    seen = seen_of(model, rows_of(problem))
    return [mrr_of(over_pairs(seen, k), problem) for k in DIRECTIONS]


if __name__ == "__main__":
    main()
