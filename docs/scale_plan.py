"""Hold the seconds that `plan` predicts against measured ones, as docs/scaling.md shows them.

python docs/scale_plan.py --backend numpy
"""

import statistics
import time

import click
import numpy as np
from results import setting

from gsnn_edges import backends, cross_correlation
from gsnn_edges.scale import plan

SIZES = ((1_000, 10_000), (3_000, 20_000), (6_000, 10_000))
# Minutes, and most of 24 GB.
LARGE = ((10_000, 50_000), (20_000, 20_000))


@click.command(help=__doc__)
@click.option("--backend", default="numpy", show_default=True)
@click.option("--repeats", default=3, show_default=True, help="Timed calls; the median counts.")
@click.option("--large", is_flag=True, help="Sizes that take minutes too.")
def main(backend: str, repeats: int, large: bool) -> None:
    """Print the table."""
    click.echo("\n".join(setting()) + "\n")
    click.echo("| nodes | observations | predicted s | measured s | predicted / measured |")
    click.echo("| --: | --: | --: | --: | --: |")
    for nodes, observations in (*SIZES, *LARGE) if large else SIZES:
        predicted = plan(nodes, observations, backend=backend).seconds
        measured = measure(nodes, observations, backend, repeats)
        click.echo(
            f"| {nodes:,} | {observations:,} | {predicted:.2f} | {measured:.2f} | "
            f"{predicted / measured:.2f} |"
        )


def measure(nodes: int, observations: int, backend: str, repeats: int) -> float:
    """Time the correlation of normal values, after a call to warm up."""
    rng = np.random.default_rng(1)
    a, g = (rng.standard_normal((observations, nodes), dtype=np.float32) for _ in range(2))
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        W = cross_correlation(a, g, backend=backend)
        backends.of(W).to_numpy(W[:1])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
