"""gsnn-edges correlate."""

from pathlib import Path
from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage


@click.command(
    cls=Stage, epilog="Example: gsnn-edges correlate seen.zarr --out W.zarr --max-memory 2GB"
)
@click.argument("observations", type=options.FILE)
@click.option(
    "--out",
    type=options.FILE,
    required=True,
    help="W: .npy or .zarr, or .npz with the names of its nodes; or, with --top or --threshold, a "
    "table of edges: .csv or .parquet.",
)
@options.backend("numpy")
@click.option("--device", help="A device of that backend: cpu, cuda:0, gpu, tpu.")
@click.option(
    "--devices", type=options.POSITIVE, help="How many JAX devices of this machine share it."
)
@options.correlation
@click.option(
    "--max-memory",
    default="2GB",
    show_default=True,
    help="Working memory, as 500MB or 24GB; for observations in .zarr.",
)
@click.option("--scratch", type=options.FILE, help="Folder for intermediate files.")
@click.option("--top", type=options.POSITIVE, help="The best targets of each source only.")
@click.option("--threshold", type=float, help="Pairs at least this far from 0 only.")
@click.option(
    "--resume/--anew", default=True, show_default=True, help="Go on with what was cut off."
)
@click.option("--coordinator", metavar="HOST:PORT", help="Several machines, by JAX: process 0.")
@click.option("--processes", type=options.POSITIVE, help="How many; 1 takes all devices here.")
@click.option("--process", type=options.SEED, help="Which of them this is, from 0.")
@click.option("--row-chunk", type=options.POSITIVE, help="Sources at a time, of all of them.")
@click.option(
    "--start-timeout",
    type=float,
    default=300,
    show_default=True,
    help="Seconds in which all of them must have joined.",
)
@click.option(
    "--distributed",
    is_flag=True,
    help="Ask the cluster for these three: Slurm, Open MPI, TPU pods.",
)
@options.dry_run
@click.pass_obj
def correlate(screen: Screen, /, observations: str, out: str, dry_run: bool, **asked: Any) -> None:
    """Make W of what capture recorded: stage two.

    Needs no torch. Observations in .zarr are read a part at a time and may be larger than memory;
    those in .npz are read whole.
    """
    from gsnn_edges.cli import correlating

    asked["given"] = options.given()
    correlating.check(observations, out, asked)
    with screen.work():
        job = correlating.job(observations, out, asked)
    if dry_run:
        screen.say(f"would {job.description}")
        screen.facts({**job.facts, "memory": job.memory, "dry_run": True})
        return
    screen.note(job.description)
    screen.resumes = Path(observations).suffix == ".zarr"
    with screen.work():
        count = job.run(screen)
    what = f"W of {job.facts['nodes']} nodes" if count is None else f"{count} pairs"
    screen.say(f"{what}, score {job.facts['score']}: {out}")
    screen.facts({**job.facts, "pairs": count, "written": written(out)})


def written(out: str) -> list[str]:
    """List what was written: beside W in .npy, how it was made of a store."""
    return [out, *(beside for beside in [f"{out}.json"] if Path(beside).exists())]
