"""gsnn-edges plan."""

from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen


@click.command(
    cls=Command, epilog="Example: gsnn-edges plan --nodes 20000 --observations 100000 --memory 80GB"
)
@click.option("--nodes", type=options.POSITIVE, required=True, help="Function nodes N.")
@click.option("--observations", type=options.POSITIVE, required=True, help="Pairs times samples.")
@click.option("--devices", type=options.POSITIVE, default=1, help="Devices that share the work.")
@click.option("--memory", help="Memory of each device, as 24GB; by default what is free here.")
@click.option("--channels", type=options.POSITIVE, default=1, help="Channels of each node.")
@click.option("--layers", type=options.POSITIVE, default=1, help="Matrices to average.")
@options.backend("numpy")
@click.option("--device", help="A device of that backend: cpu, cuda:0, gpu, tpu.")
@options.choice("--precision", ("float32", "float64"), "Precision of the correlation.")
@click.pass_obj
def plan(screen: Screen, /, **asked: Any) -> None:
    """Say how much memory and disk a correlation takes."""
    from gsnn_edges.scale import plan as planned

    with screen.work():
        found = planned(asked.pop("nodes"), asked.pop("observations"), **asked)
    screen.say(str(found))
    screen.json(found.to_dict())
