"""The gsnn-edges command."""

from importlib.metadata import version
from pathlib import Path

import click

from gsnn_edges import __version__
from gsnn_edges.backends import BACKENDS, available, load
from gsnn_edges.backends import check as check_backend

BACKEND = click.option(
    "--backend",
    type=click.Choice(list(BACKENDS)),
    default="torch",
    show_default=True,
    help="Array library that ranks and correlates.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gsnn-edges")
def main() -> None:
    """Find the edges that a trained Graph Structured Neural Network is missing."""


@main.command()
@click.option(
    "--graph",
    default="tutorial",
    show_default=True,
    metavar="NAME|FILE.csv",
    help="tutorial, dream4-1, dream4-2, or a csv with the columns source and target.",
)
@BACKEND
@click.option("--seed", type=int, default=0, show_default=True, help="Of data, model, training.")
@click.option(
    "--epochs", type=click.IntRange(min=0), help="Of training; as suits the graph by default."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("gsnn-edges-demo"),
    show_default=True,
    help="Folder for W.npy, channels.npy, table.txt and metrics.json.",
)
def demo(graph: str, backend: str, seed: int, epochs: int | None, out: Path) -> None:
    """Simulate data, train a GSNN without some edges, and find them again."""
    try:
        from gsnn_edges.demo.run import run_demo

        run_demo(graph, backend=backend, seed=seed, epochs=epochs, out=out)
    except (ImportError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"W.npy, channels.npy, table.txt and metrics.json are in {out}")


@main.command()
@click.option("--quick", is_flag=True, help="The smallest sizes only: one minute, not twelve.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the rows and what they were measured on.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where torch and JAX arrays lie.",
)
def bench(quick: bool, json_file: Path | None, device: str) -> None:
    """Time this package beside the processor's limits, naive code and its peers."""
    if json_file is not None and not json_file.parent.is_dir():
        raise click.ClickException(f"--json: there is no folder {json_file.parent}")
    try:
        from gsnn_edges.bench import run_bench
        from gsnn_edges.bench.environment import environment
        from gsnn_edges.bench.report import write_json

        rows = run_bench(quick=quick, device=device)
        if json_file is not None:
            write_json(json_file, environment(device), rows)
    except (ImportError, MemoryError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--check", "validate", is_flag=True, help="Validate each one on this machine.")
def backends(validate: bool) -> None:
    """List the backends, their devices, and what to install for the rest."""
    for name, (_, package) in BACKENDS.items():
        if name not in available():
            click.echo(f"{name:8} not installed: pip install 'gsnn-edges[{name}]'")
            continue
        ops = load(name)
        click.echo(f"{name:8} {version(package):10} on {ops.device or 'cpu'}")
        for finding in check_backend(name) if validate else ():
            mark = "kept  " if finding.kept else "BROKEN"
            click.echo(f"  {mark} {finding.law}: {finding.error:.1e} (bound {finding.bound:.0e})")
