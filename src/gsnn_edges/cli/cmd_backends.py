"""gsnn-edges backends."""

from collections.abc import Iterator
from typing import Any

import click

from gsnn_edges.cli.console import Screen, Stage

# Devices to ask each library for, beside its default.
DEVICES = {"torch": ("cpu", "cuda", "mps"), "jax": ("cpu", "gpu", "tpu")}

# NumPy's and the generic one come with the package itself.
WITH_THE_PACKAGE = {"numpy": "gsnn-edges", "generic": "gsnn-edges"}
OF_AN_EXTRA = "'gsnn-edges[{}]'"


@click.command(cls=Stage, epilog="Example: gsnn-edges backends --check")
@click.option(
    "--check", "validate", is_flag=True, help="Hold each one to its laws, on this machine."
)
@click.pass_obj
def backends(screen: Screen, validate: bool) -> None:
    """List backends, devices, precision, and what to install."""
    from gsnn_edges.cli.extras import extras

    with screen.work():
        found = list(described())
        laws = list(checked(found)) if validate else []
    screen.table(
        {
            "backend": [row["backend"] for row in found],
            "version": [row["version"] or "not installed" for row in found],
            "devices": [", ".join(row["devices"]) for row in found],
            "precision": [", ".join(row["precisions"]) for row in found],
            "to install": ["" if row["version"] else row["install"] for row in found],
        }
    )
    if laws:
        screen.table(
            {
                "backend": [law["backend"] for law in laws],
                "law": [law["law"] for law in laws],
                "kept": ["kept" if law["kept"] else "BROKEN" for law in laws],
                "error": [f"{law['error']:.1e}" for law in laws],
                "bound": [f"{law['bound']:.0e}" for law in laws],
            }
        )
    optional = extras()
    screen.table(
        {
            "extra": [row.name for row in optional],
            "there": [", ".join(row.there) for row in optional],
            "missing": [", ".join(row.missing) for row in optional],
            "to install": [row.install if row.missing else "" for row in optional],
        }
    )
    facts: dict[str, Any] = {"backends": found, "extras": [row._asdict() for row in optional]}
    screen.facts({**facts, "laws": laws} if validate else facts)
    if not all(law["kept"] for law in laws):
        raise RuntimeError("a backend breaks a law on this machine: choose another one")


def described() -> Iterator[dict[str, Any]]:
    """Describe each backend, installed or not."""
    from importlib.metadata import version

    from gsnn_edges.backends import BACKENDS, available

    there = available()
    for name, (_, package) in BACKENDS.items():
        installed = name in there
        yield {
            "backend": name,
            "version": version(package) if installed else None,
            "devices": devices(name) if installed else [],
            "precisions": precisions(name) if installed else [],
            "install": f"pip install {WITH_THE_PACKAGE.get(name, OF_AN_EXTRA.format(name))}",
        }


def devices(name: str) -> list[str]:
    """List the devices that a backend can be loaded for."""
    from gsnn_edges.backends import load

    found = []
    for device in DEVICES.get(name, ()):
        try:
            load(name, device)
        except (AssertionError, ImportError, RuntimeError, ValueError):
            continue  # the library's way to say that it is not there
        found.append(device)
    return found or ["cpu"]


def precisions(name: str) -> list[str]:
    """List the precisions that the correlation can have."""
    from gsnn_edges import _validation
    from gsnn_edges.backends import load

    double = _validation.has_float64(load(name).xp)
    return ["float32", "float64"] if double else ["float32"]


def checked(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Validate what is installed: each law with its error and its bound."""
    from gsnn_edges.backends import check

    for row in found:
        for finding in check(row["backend"]) if row["version"] else ():
            yield {"backend": row["backend"], **vars(finding), "kept": finding.kept}
