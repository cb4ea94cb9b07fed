"""Time the correlation on several virtual devices of a CPU, and on one of them.

    python docs/scale_devices.py --devices 4 --nodes 1000 --observations 10000

The program is the same, compiled for one device and for all; the inputs lie there already. Both
have the processor's threads, all of them: what several devices cost beside one is what they send,
and what they fill up.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
from results import setting


@click.command(help=__doc__)
@click.option("--devices", default=4, show_default=True)
@click.option("--nodes", default=1_000, show_default=True)
@click.option("--observations", default=10_000, show_default=True)
@click.option("--repeats", default=5, show_default=True, help="Timed calls; the median counts.")
def main(devices: int, nodes: int, observations: int, repeats: int) -> None:
    """Print the table."""
    # Before JAX starts, which it does when it is first asked for its devices.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    calls = {count: compiled(count, nodes, observations) for count in (1, devices)}
    seconds: dict[int, list[float]] = {count: [] for count in calls}
    for _ in range(repeats):
        for count, call in calls.items():  # in turns: a busy machine is busy for both
            start = time.perf_counter()
            call().block_until_ready()
            seconds[count].append(time.perf_counter() - start)
    one = statistics.median(seconds[1])
    click.echo("\n".join(setting()) + "\n")
    click.echo("| nodes | observations | devices | seconds | over one device |")
    click.echo("| --: | --: | --: | --: | --: |")
    for count, found in seconds.items():
        median = statistics.median(found)
        click.echo(
            f"| {nodes:,} | {observations:,} | {count} | {median:.2f} | {median / one:.2f} |"
        )


def compiled(devices: int, nodes: int, observations: int) -> Callable[[], Any]:
    """Compile for so many devices, place the inputs, and call once to warm up."""
    from gsnn_edges.options import CorrelationOptions
    from gsnn_edges.sharded.arguments import checked_options
    from gsnn_edges.sharded.correlation import plain_task
    from gsnn_edges.sharded.program import correlate

    rng = np.random.default_rng(0)
    a, g = (rng.standard_normal((observations, nodes), dtype=np.float32) for _ in range(2))
    options = checked_options(a, g, CorrelationOptions())
    task = plain_task(a, g, devices, options)
    filled = task.each(nodes) * devices
    placed = [side.placed(0, filled, task.mesh) for side in (task.a, task.g)]
    settings = {"mesh": task.mesh, "score": task.score, "targets": nodes}
    program = correlate.lower(*placed, **settings).compile()
    program(*placed).block_until_ready()
    return lambda: program(*placed)


if __name__ == "__main__":
    main()
