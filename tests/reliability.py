"""Measure what the tests promise of the package, and write it to docs/reliability.md.

    OMP_NUM_THREADS=1 python tests/reliability.py      # some minutes; needs Linux
    python tests/reliability.py --check                # is the page about the tables as they are?

Every model of the tests is fitted on every backend and compared with slow loops and SciPy; the
wrong calls and fuzz cases are counted; the memory of a fit is measured in processes of its own.
"""

import os
import platform
import subprocess
import sys
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click
import fuzz
import numpy as np
from gsnn_models import MODELS, data_for, in_float64, lived_in, slow_capture
from model_state import assert_unchanged
from oracles import correlation
from torch import nn

from gsnn_edges import FunctionEdgeInferer
from gsnn_edges.bench.gsnn import example
from gsnn_edges.bench.measure import peak_resident, reset_peak

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reliability.md"
COMMAND = "OMP_NUM_THREADS=1 python tests/reliability.py"
LIBRARIES = ("numpy", "torch", "jax")

BACKENDS = ("numpy", "torch", "jax")
BOUND = 1e-6  # law 3
NO_EDGES = np.zeros((2, 0), np.int64)
MSE = nn.MSELoss()

# The fits whose memory is measured: rows of the batch, and rows at a time.
NODES = 300
FITS = ((4000, 250), (250, None), (4000, None))
PROCESSES = 5


@dataclass(frozen=True)
class Found:
    """What came of the fits of one model on one backend."""

    difference: float
    unchanged: bool


def fitted(name, backend):
    """Fit a model in evaluation mode beside the oracle, and once more as its user has it."""
    model = in_float64(MODELS[name]())
    x, y = data_for(model, rows=40)
    expected = correlation(*slow_capture(model, MSE, x, y))
    W, whole = guarded_fit(model, backend, x, y)
    lived = lived_in(MODELS[name]().train())
    _, also = guarded_fit(lived, backend, *data_for(lived, rows=40))
    return Found(float(np.abs(W - expected).max()), whole and also)


def guarded_fit(model, backend, x, y):
    """Give W, and whether the model and the random states came back bit for bit (law 5)."""
    inferer = FunctionEdgeInferer(model, MSE, NO_EDGES, backend=backend)
    W = None
    try:
        with in_64_bits(backend), assert_unchanged(model), warnings.catch_warnings():
            # Models in training mode are what is meant here.
            warnings.filterwarnings("ignore", "dropout or batch statistics", UserWarning)
            W = inferer.fit(x, y)
    except AssertionError as changed:
        if W is None:
            raise
        click.echo(f"{backend}: {changed}", err=True)
        return W, False
    return W, True


def in_64_bits(backend):
    """Have JAX take float64 columns, in which the oracle agrees on what ties."""
    if backend != "jax":
        return nullcontext()
    import jax

    return jax.enable_x64(True)


def table():
    """Fit all models on all backends."""
    found = {}
    for name in MODELS:
        click.echo(f"model: {name}", err=True)
        found[name] = {backend: fitted(name, backend) for backend in BACKENDS}
    return found


def counts():
    """How many cases stand in the tables now: what is counted -> number."""
    return {
        "wrong calls": len(wrong_calls()),
        "fuzz cases": fuzz.CASES,
        "fuzz cases in every run": fuzz.QUICK,
    }


def wrong_calls():
    """The table of calls that must fail with a sentence."""
    if find_spec("mistakes") is None:
        raise click.ClickException(
            "tests/mistakes.py is not there, so the wrong calls cannot be counted: write it, with "
            "a list WRONG_CALLS at its top level"
        )
    from mistakes import WRONG_CALLS

    return WRONG_CALLS


def peak(batch, batch_size):
    """Give the largest peak of a few fits in bytes, each in a process of its own."""
    command = [sys.executable, __file__, "--peak", str(batch), str(batch_size or 0)]
    runs = [
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for _ in range(PROCESSES)
    ]
    return max(int(run.stdout) for run in runs)


def own_peak(batch, batch_size):
    """Fit in this process: bytes above the level after imports, model and data."""
    given = example(NODES, batch=batch)
    inferer = FunctionEdgeInferer(given.model, given.crit, given.edges)
    before = reset_peak()
    if before is None:
        raise click.ClickException("the peak of resident memory is to be had on Linux only")
    inferer.fit(given.x, given.y, batch_size=batch_size)
    return peak_resident() - before


def page(found, peaks, counted, commit, machine):
    """Write the page."""
    parts = header(commit, machine), models(found), cases(counted), memory(peaks)
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def header(commit, machine):
    libraries = ", ".join(
        f"{label} {version(name)}"
        for label, name in zip(("NumPy", "torch", "JAX"), LIBRARIES, strict=True)
    )
    return (
        "# Reliability",
        "",
        "What the tests measured, as they wrote it down; nothing here is written by hand.",
        "",
        f"- date: {date.today().isoformat()}",
        f"- machine: {machine}",
        f"- versions: Python {platform.python_version()}, {libraries}",
        f"- commit: {commit}",
        f"- command: `{COMMAND}`",
    )


def models(found):
    kept = [cell.unchanged for row in found.values() for cell in row.values()]
    near = [cell.difference <= BOUND for row in found.values() for cell in row.values()]
    yield "## Models"
    yield ""
    yield "The largest difference between W and the same by slow loops and SciPy in float64, for"
    yield "each model of `tests/gsnn_models.py`, made float64 (those called autocast and bfloat16"
    yield f"too), in evaluation mode, 40 rows. Within {BOUND:.0e}: {sum(near)} of {len(near)}."
    yield ""
    yield f"| model | {' | '.join(BACKENDS)} |"
    yield f"| --- |{' --: |' * len(BACKENDS)}"
    for name, row in found.items():
        yield f"| {name} | {' | '.join(f'{row[b].difference:.1e}' for b in BACKENDS)} |"
    yield ""
    yield "Each was also fitted as it is, in its own precision and in training mode, with"
    yield "gradients, hooks and records of its own. Bit for bit, the model and the global random"
    yield f"states were after both fits what they had been before: {sum(kept)} of {len(kept)}."


def cases(counted):
    yield "## Cases"
    yield ""
    yield "| in the tables of the tests | number |"
    yield "| --- | --: |"
    for name, number in counted.items():
        yield f"| {name} | {number} |"
    yield ""
    yield "A wrong call must be refused by an error that names an argument, in words of its own,"
    yield "and must leave the model as it was: `tests/mistakes.py`. A fuzz case is a random call"
    yield "beside a slow answer: `tests/fuzz.py`. `make test` runs the wrong calls and the fuzz"
    yield "cases of every run, `make test-slow` the other fuzz cases."


def memory(peaks):
    yield "## Memory"
    yield ""
    yield f"Peak of resident memory during one fit of a reference GSNN of {NODES} nodes, 5 layers"
    yield "and 4 channels, above the level after imports and with model and data in memory: the"
    yield f"largest of {PROCESSES} processes. Every other setting is the default."
    yield ""
    yield "The activations and gradients that are correlated are two matrices of 4 layer pairs x"
    yield f"B rows by {NODES} nodes, 4 bytes a number: the third column, by arithmetic."
    yield ""
    yield "| rows B | batch_size | both matrices, MB | peak, MB |"
    yield "| --: | --: | --: | --: |"
    for (batch, size), found in peaks.items():
        matrices = 2 * 4 * 4 * batch * NODES
        yield f"| {batch} | {size or 'whole'} | {matrices / 1e6:.1f} | {found / 1e6:.1f} |"


def rows(text, heading):
    """First and last cells of the table below a heading, without its own head."""
    below = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in below.splitlines() if line[:1] == "|"]
    return [(cells[0], cells[-1]) for cells in lines[2:]]


def stale(text):
    """Say in what a page differs from the tables that the tests have now."""
    pairs = {
        "models": ([name for name, _ in rows(text, "Models")], list(MODELS)),
        "counts": (dict(rows(text, "Cases")), {n: str(count) for n, count in counts().items()}),
    }
    return [
        f"{what} on the page: {there}; in the tests: {here}"
        for what, (there, here) in pairs.items()
        if there != here
    ]


def current_commit():
    """Name the commit that is checked out, and say whether the code differs from it."""
    name = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "src", "backends", "tests")
    return f"{name}, with uncommitted changes" if changed else name


def git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Compare the page with the tables, measure nothing.")
@click.option("--out", default=PAGE, type=click.Path(path_type=Path), show_default=True)
@click.option("--commit", help="Name the commit; by default it is asked for.")
@click.option(
    "--machine",
    default=f"{platform.machine()}, {os.cpu_count()} cores",
    show_default=True,
    help="Say what it was measured on.",
)
@click.option("--peak", "fit", nargs=2, type=int, hidden=True)
def main(check, out, commit, machine, fit):
    """Write the page, or compare."""
    if fit:
        click.echo(own_peak(fit[0], fit[1] or None))
        return
    if check:
        if found := stale(out.read_text()):
            raise click.ClickException("; ".join(found) + f": run {COMMAND}")
        return
    counted = counts()
    found = table()
    peaks = {fit: peak(*fit) for fit in FITS}
    text = page(found, peaks, counted, commit or current_commit(), machine)
    write(out, text)
    cells = [cell for row in found.values() for cell in row.values()]
    if not all(cell.unchanged and cell.difference <= BOUND for cell in cells):
        raise click.ClickException(f"a law is broken: see {out}")


def write(path, text):
    """Replace a file in one step."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


if __name__ == "__main__":
    main()
