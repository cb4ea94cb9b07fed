"""Correlate a store that is larger than the memory it may take, and say what that cost.

    python docs/scale_store.py --gigabytes 5 --max-memory 1GB

A store of random observations is written, correlated in a process of its own, and removed. Printed
are the time of each pass, the peak memory beyond what the process held after its imports, and the
time of the same work without a bound: one ranking of all columns and bare products, both measured
on a part and multiplied up.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from gsnn_edges import backends
from gsnn_edges.ranks import standardize_rows
from gsnn_edges.store import StoreWriter

# The part that is measured and multiplied up: columns, and observations.
COLUMNS, STRETCH = 64, 8192

MEASURED = """
import json, re, sys, time, zarr
from gsnn_edges import backends
from gsnn_edges.scale import correlate_store
from gsnn_edges.scale import out_of_core as work

path, out, bound, backend = sys.argv[1:]
backends.load(backend)

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

passes = []
ranked = work.Work.ranked

def timed(self):
    start = time.perf_counter()
    found = ranked(self)
    passes.append(time.perf_counter() - start)
    return found

work.Work.ranked = timed
before, start = kilobytes("VmRSS"), time.perf_counter()
correlate_store(path, out, max_memory=bound, backend=backend, verbose=True)
total = time.perf_counter() - start
peak = 1024 * (kilobytes("VmHWM") - before)
print(json.dumps({"total": total, "ranking": passes[0], "peak": peak}))
"""


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Give the shortest time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def write_store(path: Path, nodes: int, samples: int, pairs: int) -> int:
    """Write random observations, half of the activations 0, and give their bytes."""
    writer = StoreWriter.create(path, pairs=pairs, samples=samples, columns=nodes)
    rng = np.random.default_rng(0)
    for unit in writer.missing:
        top, bottom = writer.rows_of(unit)
        a, g = rng.standard_normal((2, pairs, bottom - top, nodes), np.float32)
        writer.put(unit, np.maximum(a, 0), g)
    return writer.finish().nbytes


def bare_times(backend: str, nodes: int, observations: int) -> tuple[float, float]:
    """Time one ranking of all columns, and the products alone, in memory."""
    ops = backends.load(backend)
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((observations, COLUMNS), np.float32), 0)
    options = {"method": "spearman", "ties": "average", "shift": True}
    engine = ops.ranker()
    part = engine.adopt(x).T
    ranking = seconds(
        lambda: engine.to_numpy(engine.map_rows(standardize_rows, part, "float32", **options))
    )
    edge = min(nodes, 2000)
    rows = ops.adopt(rng.standard_normal((edge, STRETCH), np.float32))
    product = seconds(lambda: ops.to_numpy(ops.matmul(rows, rows)))
    ranked = 2 * nodes / COLUMNS * ranking
    return ranked, product * (nodes / edge) ** 2 * observations / STRETCH


@click.command()
@click.option("--gigabytes", default=5.0, help="Size of the store, both sides.")
@click.option("--nodes", default=5000, show_default=True)
@click.option("--pairs", default=5, show_default=True, help="Layer pairs, ranked together.")
@click.option("--max-memory", default="1GB", show_default=True)
@click.option("--backend", default="numpy", show_default=True)
@click.option("--folder", default=".", help="Where store, scratch and W lie for the while.")
def main(
    gigabytes: float, nodes: int, pairs: int, max_memory: str, backend: str, folder: str
) -> None:
    """Measure one store."""
    samples = int(gigabytes * 1e9 / (8 * nodes * pairs))
    with TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "store"
        size = write_store(path, nodes, samples, pairs)
        command = [sys.executable, "-c", MEASURED, str(path), f"{place}/W.zarr"]
        run = subprocess.run(
            [*command, max_memory, backend], stdout=subprocess.PIPE, text=True, check=True
        )
    found = json.loads(re.findall(r"\{.*\}", run.stdout)[-1])
    ranking, products = bare_times(backend, nodes, samples * pairs)
    bare = ranking + products
    click.echo(
        f"store {size / 1e9:.2f} GB: {nodes} nodes, {pairs} layer pairs of {samples} samples\n"
        f"bound {max_memory}: peak {found['peak'] / 1e6:.0f} MB beyond the imports\n"
        f"time {found['total']:.1f} s, of which {found['ranking']:.1f} s rank and write columns\n"
        f"bare {bare:.1f} s: ranking {ranking:.1f} s, products {products:.1f} s; "
        f"ratio {found['total'] / bare:.2f}"
    )


if __name__ == "__main__":
    main()
