"""gsnn-edges demo."""

from pathlib import Path

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen


@click.command(cls=Command, epilog="Example: gsnn-edges demo --graph dream4-1 --out dream4")
@click.option(
    "--graph",
    default="tutorial",
    metavar="NAME|FILE.csv",
    help="tutorial, dream4-1, dream4-2, ligand-receptor; or a csv with columns source and target.",
)
@options.backend("torch")
@click.option(
    "--seed",
    type=options.SEED,
    default=0,
    help="Seed of data, model and training.",
)
@click.option(
    "--epochs", type=options.SEED, help="Epochs of training; by default as suits the graph."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("gsnn-edges-demo"),
    help="Folder for W.npy, channels.npy, table.txt, metrics.json, and pictures of W.",
)
@click.pass_obj
def demo(
    screen: Screen, graph: str, backend: str, seed: int, epochs: int | None, out: Path
) -> None:
    """Train a GSNN on simulated data, and find the edges it lacks."""
    from gsnn_edges.demo.run import render, run_demo, where_pictures_are

    with screen.work():
        found = run_demo(
            graph, backend=backend, seed=seed, epochs=epochs, out=out, verbose=screen.progress
        )
    if not screen.progress:
        screen.say(render(found).rstrip())
        screen.say(where_pictures_are(found.files))
    screen.say(f"{', '.join(file.name for file in found.files)} are in {out}")
    screen.json(found.as_json() | {"files": [str(file) for file in found.files]})
