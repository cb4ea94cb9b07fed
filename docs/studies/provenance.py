"""When, where and with what a study was made, and the csv file of its figures."""

import csv
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

FOLDER = Path(__file__).parent
LIBRARIES = ("numpy", "scipy", "torch", "jax")


def csv_option(name: str) -> Any:
    """Let the csv file be named; by default it is the one beside the script."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option(
        "--csv", "file", type=path, default=FOLDER / name, show_default=True, help="To write."
    )


def write_csv(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows that have the same keys, and say where they come from."""
    rows = list(rows)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    click.echo("\n".join([*setting(), f"{len(rows)} rows in {file}"]))


def setting() -> Iterator[str]:
    """Date, machine, commit and versions, a line each."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield f"- date: {date.today().isoformat()}"
    yield f"- machine: {platform.machine()}, {os.cpu_count()} cores, no GPU used"
    yield f"- commit: {commit()}"
    yield f"- versions: Python {platform.python_version()}, {libraries}"
    yield f"- OMP_NUM_THREADS: {threads}"


def commit() -> str:
    """Name the commit that is checked out, and say whether the code differs from it."""
    name = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "src", "backends")
    return f"{name}, with uncommitted changes to the code" if changed else name


def git(*arguments: str) -> str:
    """Ask git about the checkout that this script lies in."""
    run = subprocess.run(
        ["git", "-C", FOLDER, *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()
