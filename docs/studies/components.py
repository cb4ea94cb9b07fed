"""How many principal components of a node the channel score needs: docs/studies/components.csv.

    OMP_NUM_THREADS=1 python docs/studies/components.py

All nodes are perturbed and measured; settings are else those of ``gsnn-edges demo``.
"""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import click
from choice import mrr_of
from provenance import csv_option, write_csv
from study import Run, model_of, observed_at, over_pairs, rows_of, seen_of, trained

from gsnn_edges.demo.run import recipe_for
from gsnn_edges.demo.simulation import simulate
from gsnn_edges.demo.topologies import graph

SETUPS = (("dream4-1", 5), ("dream4-2", 5), ("dream4-1", 16))
COMPONENTS = {"all": None, "1": 1, "2": 2, "3": 3, "4": 4}


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True, help="Seeds of each graph, from 0.")
@click.option("--epochs", type=int, help="By default as many as suit the graph.")
@csv_option("components.csv")
def main(seeds: int, epochs: int | None, file: Path) -> None:
    """Train, score by each number of components, and write the mean MRR."""
    rows = []
    for name, channels in SETUPS:
        found = [scores(name, channels, seed, epochs) for seed in range(seeds)]
        for components, column in zip(COMPONENTS, zip(*found, strict=True), strict=True):
            row = {"graph": name, "channels": channels, "components": components}
            rows.append({**row, "mrr": f"{fmean(column):.3f}"})
    write_csv(file, rows)


def scores(name: str, channels: int, seed: int, epochs: int | None) -> list[float]:
    """MRR of the held-out edges by each number of components."""
    topology = observed_at(graph(name), "all", seed)
    recipe = replace(recipe_for(topology), channels=channels)
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    problem = simulate(topology, seed=seed, train_rows=recipe.train_rows)
    model = model_of(Run(name, "all", "none", False, seed, recipe.epochs), problem, recipe)
    trained(model, problem, recipe, seed)
    seen = seen_of(model, rows_of(problem))
    return [mrr_of(over_pairs(seen, k), problem) for k in COMPONENTS.values()]


if __name__ == "__main__":
    main()
