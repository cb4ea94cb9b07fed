"""The table of a GPU: every row for torch, then for JAX, and JAX over torch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gsnn_edges import backends
from gsnn_edges.bench.ceilings import ceilings, sorts
from gsnn_edges.bench.device_cases import (
    Bench,
    beside_the_naive,
    channels,
    fit,
    from_host,
    ranking,
    short_products,
    spearman,
)
from gsnn_edges.bench.group import Settings
from gsnn_edges.bench.paper import Card
from gsnn_edges.bench.report import Row
from gsnn_edges.progress import track

Case = Callable[[Bench], list[Row]]

REPEATS = 3
BUDGET = 5.0
JAX_AT_MOST = 1.5
# JAX alone takes this many seconds at most, so that the table is made in eight minutes.
JAX_SECONDS = 240
# JAX would take most of a card before it needs it.
JAX_SETTINGS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
OURS = ("Spearman", "Pearson", "mrr", "fit", "channel score")


def device_cases(scale: float) -> list[Case]:
    """List the cases, with all numbers of nodes, observations, edges and samples scaled."""

    def sized(case: Callable[..., list[Row]], *sizes: int) -> Case:
        return partial(scaled, case, tuple(max(20, int(scale * size)) for size in sizes))

    return [
        sized(spearman, 10_000, 300_000),
        sized(short_products, 10_000, 300_000),
        sized(from_host, 10_000, 300_000),
        *(sized(spearman, *s) for s in ((10_000, 100_000), (5000, 50_000), (10_000, 10_000))),
        sized(beside_the_naive, 10_000, 100_000),
        sized(ranking, 10_000, 200_000),
        sized(fit, 5000, 1000),
        lambda bench: channels(bench, max(20, int(scale * 5000)), 4, max(20, int(scale * 2000))),
    ]


def scaled(case: Callable[..., list[Row]], sizes: tuple[int, ...], bench: Bench) -> list[Row]:
    """Run a case on its sizes."""
    return case(bench, *sizes)


def device_table(device: str, scale: float, *, verbose: bool) -> list[Row]:
    """Measure torch here, and JAX in a process of its own.

    JAX holds the memory of a card that it has once taken, so that both do not fit on one.
    """
    settings = Settings(device, REPEATS, BUDGET, goals=device != "cpu")
    ops = backends.load("torch", device)
    card, rows = ceilings(ops, settings, scale)
    rows += sorts(ops, settings, scale)
    rows += list(measured(Bench(ops, card, settings), scale, verbose))
    if "jax" not in backends.available():
        return [*rows, Row("all rows, jax", "", note="not installed")]
    return rows + over_torch(jax_rows(device, scale, card), rows)


def measured(bench: Bench, scale: float, verbose: bool) -> Iterator[Row]:
    """Run all cases on one library; a case that does not fit says so, and the next one runs."""
    cases = device_cases(scale)
    for case in track(cases, len(cases), f"benchmark, {bench.framework}", verbose=verbose):
        try:
            yield from case(bench)
        except (MemoryError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            name = getattr(case, "args", [channels])[0].__name__
            yield Row(f"{name}, {bench.framework}", "", note=f"failed: {reason}"[:120])


def jax_rows(device: str, scale: float, card: Card) -> list[Row]:
    """Run this module for JAX in another Python, which begins with a free card."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        order = {"device": device, "scale": scale, "card": vars(card), "file": str(file)}
        command = [sys.executable, "-m", __name__, json.dumps(order)]
        try:
            subprocess.run(
                command,
                env={**os.environ, **JAX_SETTINGS},
                check=True,
                timeout=JAX_SECONDS,
                capture_output=True,
                text=True,
            )
        except subprocess.TimeoutExpired:
            return [Row("all rows, jax", "", note=f"not done in {JAX_SECONDS} s")]
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().rpartition("\n")[2]
            return [Row("all rows, jax", "", note=f"failed: {last}"[:120])]
        return [Row(**row) for row in json.loads(file.read_text())]


def measure_jax(order: str) -> None:
    """Measure JAX, as another process has asked for it."""
    given = json.loads(order)
    device = given["device"]
    settings = Settings(device, REPEATS, BUDGET, goals=device != "cpu")
    bench = Bench(backends.load("jax", device), Card(**given["card"]), settings)
    rows = [vars(row) for row in measured(bench, given["scale"], verbose=False)]
    Path(given["file"]).write_text(json.dumps(rows))


def over_torch(rows: list[Row], others: list[Row]) -> list[Row]:
    """Add to rows of JAX one over the same of torch, for what is ours."""
    found = {(row.what, row.size): row.milliseconds for row in others}
    added = []
    for row in rows:
        other = row.what.replace(", jax", ", torch")
        taken = found.get((other, row.size))
        if taken and row.milliseconds and row.what.startswith(OURS):
            ratio = row.milliseconds / taken
            added.append(
                replace(
                    Row(f"{row.what}, over torch", row.size, row.milliseconds),
                    ratio=ratio,
                    reference=other,
                    at_most=JAX_AT_MOST,
                )
            )
    return rows + added


if __name__ == "__main__":
    measure_jax(sys.argv[1])
