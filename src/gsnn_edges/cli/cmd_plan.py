"""gsnn-edges plan."""

from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage


@click.command(
    cls=Stage, epilog="Example: gsnn-edges plan --nodes 20000 --observations 100000 --memory 80GB"
)
@click.option("--nodes", type=options.POSITIVE, required=True, help="Function nodes N.")
@click.option(
    "--observations", type=options.POSITIVE, required=True, help="Layer pairs times samples."
)
@click.option(
    "--devices",
    type=options.POSITIVE,
    default=1,
    show_default=True,
    help="Devices that share the work.",
)
@click.option("--memory", help="Memory of each device, as 24GB; by default what is free here.")
@click.option(
    "--channels", type=options.POSITIVE, default=1, show_default=True, help="Channels of each node."
)
@click.option(
    "--layers", type=options.POSITIVE, default=1, show_default=True, help="Matrices to average."
)
@options.backend("numpy")
@click.option("--device", help="A device of that backend: cpu, cuda:0, gpu, tpu.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Precision of the correlation.",
)
@click.pass_obj
def plan(screen: Screen, /, **asked: Any) -> None:
    """Say how much memory and disk a correlation takes."""
    from gsnn_edges.scale import plan as planned

    with screen.work():
        found = planned(asked.pop("nodes"), asked.pop("observations"), **asked)
    screen.say(str(found))
    screen.facts(found.to_dict())
