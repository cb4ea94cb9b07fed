"""How fast blocks of columns are read from a store, by the layout of its units and chunks.

python docs/studies/scale_reads.py
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from provenance import setting

from gsnn_edges.store import StoreWriter

# Samples of a unit and columns of a chunk: as from 1,000 nodes on; as 100,000 nodes with ten layer
# pairs get; and what these would get if neither grew.
LAYOUTS = ((1000, 64), (67, 512), (16, 64))
PAIRS, SAMPLES, COLUMNS = 10, 2000, 1024


@click.command(help=__doc__)
def main() -> None:
    """Print the table."""
    click.echo("\n".join(setting()) + "\n")
    click.echo("| samples of a unit | columns of a chunk | MB/s |\n| --: | --: | --: |")
    for unit, chunk in LAYOUTS:
        with TemporaryDirectory(dir=".") as folder:
            click.echo(f"| {unit:,} | {chunk} | {rate(Path(folder) / 'store', unit, chunk):.0f} |")


def rate(path: Path, unit: int, chunk: int) -> float:
    """Read the columns of one chunk, from the page cache."""
    writer = StoreWriter.create(
        path, pairs=PAIRS, samples=SAMPLES, columns=COLUMNS, unit=unit, chunk_columns=chunk
    )
    rng = np.random.default_rng(0)
    for number in writer.missing:
        rows = min(unit, SAMPLES - number * unit)
        writer.put(number, *rng.random((2, PAIRS, rows, COLUMNS), np.float32))
    store, seconds = writer.finish(), []
    for _ in range(3):
        start = time.perf_counter()
        found = store.read("a", (0, chunk))
        seconds.append(time.perf_counter() - start)
    return found.nbytes / 1e6 / min(seconds)


if __name__ == "__main__":
    main()
