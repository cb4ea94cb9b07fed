"""gsnn-edges backends."""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import click

from gsnn_edges.cli.console import Command, Screen

# Devices to ask each library for; the others have a CPU alone.
_DEVICES = {"torch": ("cpu", "cuda", "mps"), "jax": ("cpu", "gpu", "tpu")}
# The extras for users, and not those for work on the package.
_EXTRAS = ("torch", "jax", "frames", "stats", "store", "files", "plots", "fast")
_REQUIREMENT = re.compile(r"""^([\w.-]+).*;.*extra == ["']([\w-]+)["']""")


@click.command(cls=Command, epilog="Example: gsnn-edges backends --check")
@click.option("--check", is_flag=True, help="Hold each one to its laws, on this machine.")
@click.pass_obj
def backends(screen: Screen, check: bool) -> None:
    """List backends, devices, precision, and what to install."""
    with screen.work():
        rows = _backends()
        names = [row["backend"] for row in rows if row["version"]]
        laws = [law for name in names for law in _laws(name)] if check else []
    _show(screen, rows, "version", "devices", "precisions", "install")
    if check:
        _show(screen, laws, "law", "kept", "error", "bound")
    extras = _extras()
    _show(screen, extras, "there", "missing", "install")
    screen.json({"backends": rows, "extras": extras, **({"laws": laws} if check else {})})
    if not all(law["kept"] for law in laws):
        raise RuntimeError("a backend breaks a law on this machine: choose another one")


def _backends() -> list[dict[str, Any]]:
    from gsnn_edges import _validation
    from gsnn_edges.backends import BACKENDS, available, load

    rows = []
    for name, (_, package) in BACKENDS.items():
        extra = f"'.[{name}]'" if name in _DEVICES else "."
        row: dict[str, Any] = {"backend": name, "version": None, "devices": [], "precisions": []}
        if name in available():
            double = _validation.has_float64(load(name).xp)
            row["version"] = version(package)
            row["devices"] = _devices(name)
            row["precisions"] = ["float32", "float64"] if double else ["float32"]
        rows.append({**row, "install": f"pip install {extra}"})
    return rows


def _devices(name: str) -> list[str]:
    from gsnn_edges.backends import load

    devices = []
    for device in _DEVICES.get(name, ()):
        try:
            load(name, device)
        except (AssertionError, ImportError, RuntimeError, ValueError):
            continue  # the library's way to say that it is not there
        devices.append(device)
    return devices or ["cpu"]


def _laws(name: str) -> list[dict[str, Any]]:
    from gsnn_edges.backends import check

    return [{"backend": name, **vars(law), "kept": law.kept} for law in check(name)]


def _extras() -> list[dict[str, Any]]:
    """Libraries of each extra that are installed, with their versions, and those that are not."""
    rows: dict[str, Any] = {
        name: {
            "name": name,
            "there": [],
            "missing": [],
            "install": f"pip install '.[{name}]'",
        }
        for name in _EXTRAS
    }
    for line in requires("gsnn-edges") or ():
        match = _REQUIREMENT.match(line)
        if match is None or match[1] == "gsnn-edges" or match[2] not in rows:
            continue
        try:
            rows[match[2]]["there"].append(f"{match[1]} {version(match[1])}")
        except PackageNotFoundError:
            rows[match[2]]["missing"].append(match[1])
    return [row for row in rows.values() if row["there"] or row["missing"]]


def _show(screen: Screen, rows: list[dict[str, Any]], *columns: str) -> None:
    first = "name" if "name" in rows[0] else "backend"
    screen.table({name: [_cell(row[name]) for row in rows] for name in (first, *columns)})


def _cell(value: Any) -> str:
    if value is None:
        return "not installed"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.1e}" if isinstance(value, float) else str(value)
