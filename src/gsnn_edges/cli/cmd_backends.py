"""gsnn-edges backends."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, NamedTuple

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
    optional = installed_extras()
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


# Those for users, and not for work on the package.
SHOWN = ("torch", "jax", "frames", "stats", "store", "files", "plots")
REQUIREMENT = re.compile(r"""^([\w.-]+).*;.*extra == ["']([\w-]+)["']""")


class Extra(NamedTuple):
    """An extra of the package, and which of its libraries are there.

    Attributes
    ----------
    name : str
    there : list of str
        Libraries with their versions.
    missing : list of str
    install : str
        The command that installs what is missing.
    """

    name: str
    there: list[str]
    missing: list[str]
    install: str


def installed_extras() -> list[Extra]:
    """List the installed_extras for users, by what the installed package says of itself."""
    found = {name: Extra(name, [], [], f"pip install 'gsnn-edges[{name}]'") for name in SHOWN}
    for line in requires("gsnn-edges") or ():
        parts = REQUIREMENT.match(line)
        if parts is None or parts[2] not in found:
            continue
        try:
            found[parts[2]].there.append(f"{parts[1]} {version(parts[1])}")
        except PackageNotFoundError:
            found[parts[2]].missing.append(parts[1])
    return [extra for extra in found.values() if extra.there or extra.missing]
