"""Run the demo over several seeds: docs/studies/results.csv.

    OMP_NUM_THREADS=1 python docs/studies/results.py

The settings are those of ``gsnn-edges demo``, the same for all seeds of a graph. Nothing is tuned
here, nothing is chosen by a score, and every run that is made is in the file.
"""

from collections.abc import Iterator
from pathlib import Path

import click
from provenance import csv_option, write_csv

from gsnn_edges.demo.run import run_demo

MATRICES = {
    "trained": "W",
    "untrained": "W untrained",
    "channels trained": "channels",
    "channels untrained": "channels untrained",
    "random": "random",
}


@click.command(help=__doc__)
@click.option("--tutorial", default=10, show_default=True, help="Seeds of the tutorial, from 0.")
@click.option("--dream4", default=10, show_default=True, help="Seeds of each DREAM4 graph.")
@csv_option("results.csv")
def main(tutorial: int, dream4: int, file: Path) -> None:
    """Run, and write what came of it."""
    seeds = {"tutorial": tutorial, "dream4-1": dream4, "dream4-2": dream4}
    write_csv(file, (row for graph, count in seeds.items() for row in rows(graph, count)))


def rows(graph: str, count: int) -> Iterator[dict[str, object]]:
    """MRR of each matrix of the demo, for the seeds 0 .. count - 1."""
    for seed in range(count):
        click.echo(f"{graph}, seed {seed}", err=True)
        result = run_demo(graph, seed=seed, verbose=False)
        for name, matrix in MATRICES.items():
            score = result.scores[name]
            yield {
                "graph": graph,
                "seed": seed,
                "epochs": result.epochs,
                "matrix": matrix,
                "validation": f"{score.validation:.3f}",
                "test": f"{score.test:.3f}",
            }


if __name__ == "__main__":
    main()
