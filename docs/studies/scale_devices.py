"""Time the correlation on several virtual devices of a CPU, and on one of them.

    python docs/studies/scale_devices.py --devices 4 --nodes 1000 --observations 10000

Both have all threads of the processor: what several devices cost beside one is what they send, and
what they fill up. Inputs come from the host.
"""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import numpy as np
from provenance import setting


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
    """Correlate random observations over so many devices, once to compile."""
    from gsnn_edges import cross_correlation

    a, g = np.random.default_rng(0).standard_normal((2, observations, nodes), np.float32)
    call = partial(cross_correlation, a, g, backend="jax", devices=devices)
    call().block_until_ready()
    return call


if __name__ == "__main__":
    main()
