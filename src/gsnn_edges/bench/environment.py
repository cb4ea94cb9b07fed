"""On what a benchmark was run."""

import platform
import subprocess
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gsnn_edges import __version__
from gsnn_edges.backends.numpy_backend import allowed_threads

_PROCESSORS = Path("/proc/cpuinfo")
_PACKAGE = Path(__file__).parents[1]


def environment(device: str) -> dict[str, str]:
    """Describe this run: date, processor, threads, versions, and commit where there is one.

    Examples
    --------
    >>> list(environment("cpu"))
    ['date', 'processor', 'threads', 'python', 'numpy', 'torch', 'jax', 'gsnn-edges']
    """
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"),
        "processor": processor() if device == "cpu" else accelerator(device),
        "threads": str(allowed_threads()),
        "python": platform.python_version(),
        **{library: installed_version(library) for library in ("numpy", "torch", "jax")},
        "gsnn-edges": commit() or __version__,
    }


def processor() -> str:
    """Name the processor's model."""
    try:
        lines = _PROCESSORS.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def accelerator(device: str) -> str:
    """Name the model of torch's device, by a process that ends: to ask takes memory of the card."""
    ask = f"import torch; print(torch.cuda.get_device_name({device!r}))"
    try:
        run = subprocess.run(
            [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return run.stdout.strip()


def installed_version(library: str) -> str:
    """Give the version of a library, or say that there is none."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def commit() -> str | None:
    """Give the commit that the package is checked out at, "-dirty" where it has been changed."""
    root = _PACKAGE.parents[1]
    if _PACKAGE.parent.name != "src" or not (root / ".git").exists():
        return None
    # Without tags: the commit alone.
    ask = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        run = subprocess.run(ask, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
