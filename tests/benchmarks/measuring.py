"""Time, processor time and peak memory of a call."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROCESS = Path("/proc/self")


def clocked(call: Callable[[], object]) -> tuple[float, float]:
    """Run a call until its result is there: seconds of wall and of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    wait_for(call())
    return time.perf_counter() - start, time.process_time() - cpu


def wait_for(result: object) -> None:
    """Wait until a result, or each of a tuple or list of them, has been computed."""
    if isinstance(result, tuple | list):
        for part in result:
            wait_for(part)
    elif hasattr(result, "block_until_ready"):
        result.block_until_ready()
    elif getattr(result, "is_cuda", False):
        import torch

        torch.cuda.synchronize()


def reset_peak() -> int:
    """Let the peak of resident memory begin anew, as Linux counts it; bytes now."""
    (PROCESS / "clear_refs").write_text("5")
    return counts("status")["VmRSS"] * 1024


def peak_resident() -> int:
    """Highest resident memory since `reset_peak`, in bytes."""
    return counts("status")["VmHWM"] * 1024


def counts(file: str) -> dict[str, int]:
    """Read what Linux counts of this process, in "status" or in "io"."""
    rows = (line.split() for line in (PROCESS / file).read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if row[1:] and row[1].isdigit()}


def in_child(name: str, *arguments: Any, timeout: float | None = None, **variables: str) -> Any:
    """Call a function of a module beside this one in a new process, and give what it returns."""
    module, _, function = name.partition(".")
    code = (
        f"import json, sys; from benchmarks.{module} import {function} as call;"
        "print(json.dumps(call(*json.loads(sys.argv[1]))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **variables}
    command = [sys.executable, "-c", code, json.dumps(arguments)]
    options = {"env": environment, "timeout": timeout, "check": True}
    run = subprocess.run(command, capture_output=True, **options)
    return json.loads(run.stdout.splitlines()[-1])
