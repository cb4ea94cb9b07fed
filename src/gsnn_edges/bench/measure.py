"""Time and peak memory of calls, taken side by side in one run."""

import gc
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)

_PROCESS = Path("/proc/self")
# Threads of a matrix library spin for a tenth of a second after a product, and would take a
# processor from the next contestant.
SETTLE_SECONDS = 0.2


@dataclass(frozen=True)
class Measurement:
    """What the timed calls of one contestant took.

    Attributes
    ----------
    seconds : tuple of float
        Wall time of each call.
    peak_bytes : int or None
        Resident memory that a call added at its highest, its result included, in the median;
        None where the system does not tell. Memory that the allocator had kept from earlier
        calls is not seen.
    """

    seconds: tuple[float, ...]
    peak_bytes: int | None = None

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """Least of the seconds, which other work on the machine has delayed the least."""
        return min(self.seconds)

    @property
    def milliseconds(self) -> float:
        """Median time, in 1e-3 s."""
        return 1e3 * self.median

    @property
    def peak_mb(self) -> float | None:
        """Memory in 10**6 bytes."""
        return None if self.peak_bytes is None else self.peak_bytes / 1e6


class Resident:
    """Memory of the process on the host, its peak since it began anew."""

    def reset(self) -> int | None:
        """Let the peak begin anew: bytes now, or None where that cannot be had."""
        return reset_peak()

    def peak(self) -> int:
        """Highest since then, in bytes."""
        return peak_resident()


class CudaMemory(Resident):
    """Memory that torch has given out on a CUDA device."""

    def reset(self) -> int | None:
        """Let the peak begin anew, when all work is done."""
        import torch

        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()

    def peak(self) -> int:
        """Highest since then, in bytes."""
        import torch

        return torch.cuda.max_memory_allocated()


@dataclass(frozen=True)
class Contestant:
    """A call to be timed, what is done before each time, untimed, and whose memory is watched."""

    call: Callable[[], object]
    before: Callable[[], object] | None = None
    memory: Resident = field(default_factory=Resident)

    def timed(self) -> Measurement:
        """Run once; results that a library still computes are waited for."""
        if self.before is not None:
            self.before()
        time.sleep(SETTLE_SECONDS)
        held = self.memory.reset()
        start = time.perf_counter()
        result = self.call()
        wait_for(result)
        seconds = time.perf_counter() - start
        return Measurement((seconds,), None if held is None else self.memory.peak() - held)


def interleaved(
    contestants: Mapping[Name, Contestant], *, repeats: int = 5, budget: float = 15.0
) -> dict[Name, Measurement]:
    """Time calls in turn, round by round, so that a slow spell of the machine hits all alike.

    Parameters
    ----------
    contestants : mapping of name to Contestant
    repeats : int
        Rounds after the warm-up, at most.
    budget : float
        Seconds after which no further round begins. A call that takes more than half of them at
        warm-up is not repeated: that time counts.

    Returns
    -------
    dict of name to Measurement

    Examples
    --------
    >>> found = interleaved({"sum": Contestant(lambda: sum(range(1000)))}, repeats=3)
    >>> len(found["sum"].seconds)
    3
    """
    warm_up = one_round(contestants)
    runs = {name: [taken] for name, taken in warm_up.items()}
    again = {n: contestants[n] for n, taken in warm_up.items() if taken.median <= budget / 2}
    start = time.perf_counter()
    for _ in range(repeats):
        for name, taken in one_round(again).items():
            runs[name].append(taken)
        if time.perf_counter() - start > budget:
            break
    return {name: summary(found[1:] or found) for name, found in runs.items()}


def one_round(contestants: Mapping[Name, Contestant]) -> dict[Name, Measurement]:
    """Time each once; garbage is collected before, as it would be charged to one of them."""
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        return {name: contestant.timed() for name, contestant in contestants.items()}
    finally:
        if collects:
            gc.enable()


def summary(runs: list[Measurement]) -> Measurement:
    """Join measurements of the same call."""
    peaks = [run.peak_bytes for run in runs if run.peak_bytes is not None]
    return Measurement(
        tuple(seconds for run in runs for seconds in run.seconds),
        int(statistics.median(peaks)) if peaks else None,
    )


def wait_for(result: object) -> None:
    """Wait until a result, or each of a tuple of them, has been computed."""
    if isinstance(result, tuple):
        for part in result:
            wait_for(part)
    elif hasattr(result, "block_until_ready"):
        result.block_until_ready()
    elif getattr(result, "is_cuda", False):
        import torch

        torch.cuda.synchronize()


def reset_peak() -> int | None:
    """Let the peak of resident memory begin anew: bytes now, or None where that cannot be had."""
    try:
        (_PROCESS / "clear_refs").write_text("5")
        return _resident("VmRSS")
    except OSError:
        return None


def peak_resident() -> int:
    """Highest resident memory since `reset_peak`, in bytes."""
    return _resident("VmHWM")


def _resident(field: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
