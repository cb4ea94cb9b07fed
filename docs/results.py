"""Run the demo over several seeds and print the tables of docs/results.md.

    python docs/results.py

The settings are those of ``gsnn-edges demo``, the same for all seeds of a graph. Nothing is tuned
here, and nothing is chosen by a score: every run that is made is printed.
"""

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import click

from gsnn_edges.demo.run import DemoResult, run_demo

ROOT = Path(__file__).parents[1]
MATRICES = ("trained", "untrained", "channels trained", "channels untrained", "random")
LIBRARIES = ("numpy", "torch", "array-api-compat")


@click.command(help=__doc__)
@click.option("--tutorial", default=10, show_default=True, help="Seeds of the tutorial, from 0.")
@click.option("--dream4", default=10, show_default=True, help="Seeds of each DREAM4 graph.")
def main(tutorial: int, dream4: int) -> None:
    """Run, and print what was run and what came of it."""
    seeds = {"tutorial": tutorial, "dream4-1": dream4, "dream4-2": dream4}
    results = {graph: runs(graph, count) for graph, count in seeds.items() if count}
    for lines in (setting(), summary(results), details(results)):
        click.echo("\n".join(lines) + "\n")


def runs(graph: str, count: int) -> list[DemoResult]:
    """Run the demo for the seeds 0 .. count - 1."""
    found = []
    for seed in range(count):
        click.echo(f"{graph}, seed {seed}", err=True)
        found.append(run_demo(graph, seed=seed, verbose=False))
    return found


def setting() -> Iterator[str]:
    """Say when, where and with what the runs were made."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield f"- date: {date.today().isoformat()}"
    yield f"- machine: {platform.machine()}, {os.cpu_count()} cores, no GPU used"
    yield f"- commit: {commit()}"
    yield f"- versions: Python {platform.python_version()}, {libraries}"
    yield f"- OMP_NUM_THREADS: {threads}"


def commit() -> str:
    """Name the commit that is checked out, and say whether the code differs from it."""
    name = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "src", "backends")
    return f"{name}, with uncommitted changes to the code" if changed else name


def git(*arguments: str) -> str:
    """Ask git about the checkout that this script lies in."""
    run = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def summary(results: dict[str, list[DemoResult]]) -> Iterator[str]:
    """Medians over the seeds, a row for each graph."""
    yield "| graph | seeds | W | W untrained | channels | channels untrained | random |"
    yield "| --- | --: | --: | --: | --: | --: | --: |"
    for graph, found in results.items():
        middle = (median(result.scores[name].test for result in found) for name in MATRICES)
        cells = " | ".join(f"{value:.3f}" for value in middle)
        yield f"| {graph} | {len(found)} | {cells} |"


def details(results: dict[str, list[DemoResult]]) -> Iterator[str]:
    """Every run, validation MRR and test MRR of each matrix."""
    yield (
        "| graph | seed | epochs | W | W untrained | channels | channels untrained | random "
        "| training, s |"
    )
    yield "| --- | --: | --: | --: | --: | --: | --: | --: | --: |"
    for graph, found in results.items():
        for result in found:
            scores = (result.scores[name] for name in MATRICES)
            cells = " | ".join(f"{s.validation:.3f} / {s.test:.3f}" for s in scores)
            seconds = result.seconds["train"]
            yield f"| {graph} | {result.seed} | {result.epochs} | {cells} | {seconds:.1f} |"


if __name__ == "__main__":
    main()
