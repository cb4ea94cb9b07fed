"""Time and peak memory of calls, taken side by side in one run."""

import gc
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)

_PROCESS = Path("/proc/self")
# Threads of a matrix library spin for a tenth of a second after a product, and would take a
# processor from the next contestant.
SETTLE_SECONDS = 0.2
# Of a short call in one round.
MOST_CALLS = 100


@dataclass(frozen=True)
class Measurement:
    """What the timed calls of one contestant took.

    Attributes
    ----------
    seconds : tuple of float
        Time of each call.
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

    def peak(self) -> int | None:
        """Highest since then, in bytes; None where it cannot be told."""
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


class JaxMemory(Resident):
    """Memory that JAX has given out on a device.

    Its peak is that of the whole process: only a call that goes beyond all before it is seen.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.before = 0

    def reset(self) -> int | None:
        """Remember the peak so far: bytes now, or None where the device does not tell."""
        stats = self.device.memory_stats() or {}
        self.before = stats.get("peak_bytes_in_use", 0)
        return stats.get("bytes_in_use")

    def peak(self) -> int | None:
        """Highest of all, in bytes, where it is a new one."""
        highest: int = self.device.memory_stats()["peak_bytes_in_use"]
        return highest if highest > self.before else None


class Clock:
    """The time of the host, until what was made is there."""

    def seconds(self, call: Callable[[], object], number: int) -> float:
        """Give the seconds of one call, of so many that are made one after another."""
        start = time.perf_counter()
        wait_for(repeated(call, number))
        return (time.perf_counter() - start) / number


class CudaClock(Clock):
    """The time of torch's stream on a CUDA device where calls are many, and so short."""

    def seconds(self, call: Callable[[], object], number: int) -> float:
        """Give the seconds of one call, between two events of the device."""
        if number == 1:
            return super().seconds(call, number)
        import torch

        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        repeated(call, number)
        stop.record()
        stop.synchronize()
        milliseconds: float = start.elapsed_time(stop)
        return milliseconds / 1e3 / number


@dataclass(frozen=True)
class Contestant:
    """A call to be timed.

    Attributes
    ----------
    call : callable
    before : callable or None
        What is done before each time, untimed.
    memory : Resident
        Whose memory is watched.
    clock : Clock
    settles : bool
        Whether threads of the call before are given time to come to rest.
    """

    call: Callable[[], object]
    before: Callable[[], object] | None = None
    memory: Resident = field(default_factory=Resident)
    clock: Clock = field(default_factory=Clock)
    settles: bool = True

    def timed(self, number: int = 1) -> Measurement:
        """Run so many times; results that a library still computes are waited for."""
        if self.before is not None:
            self.before()
        if self.settles:
            time.sleep(SETTLE_SECONDS)
        held = self.memory.reset()
        seconds = self.clock.seconds(self.call, number)
        peak = None if held is None else self.memory.peak()
        return Measurement((seconds,), None if held is None or peak is None else peak - held)

    def calls_in(self, seconds: float, each: float) -> int:
        """Say how many calls fill that time; with a preparation for each, one is made."""
        return 1 if self.before is not None else min(MOST_CALLS, max(1, int(seconds / each)))


def repeated(call: Callable[[], object], number: int) -> object:
    """Make calls, none of which holds the result of the one before."""
    result = None
    for _ in range(number):
        result = None
        result = call()
    return result


def interleaved(
    contestants: Mapping[Name, Contestant],
    *,
    repeats: int = 5,
    budget: float = 15.0,
    least: int = 0,
    short: float = 0.0,
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
    least : int
        Rounds that are made whatever they take: a warm-up compiles, loads and reserves.
    short : float
        Calls that take less are made several times in a round, so that they fill these seconds.

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
    long = {name for name, taken in warm_up.items() if taken.median > budget / 2}
    number = {n: contestants[n].calls_in(short, taken.median) for n, taken in warm_up.items()}
    start = time.perf_counter()
    for done in range(repeats):
        again = {n: c for n, c in contestants.items() if done < least or n not in long}
        for name, taken in one_round(again, number).items():
            runs[name].append(taken)
        if done + 1 >= least and time.perf_counter() - start > budget:
            break
    return {name: summary(found) for name, found in runs.items()}


def one_round(
    contestants: Mapping[Name, Contestant], number: Mapping[Name, int] | None = None
) -> dict[Name, Measurement]:
    """Time each; garbage is collected before, as it would be charged to one of them."""
    number = number or {}
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        return {name: each.timed(number.get(name, 1)) for name, each in contestants.items()}
    finally:
        if collects:
            gc.enable()


def summary(runs: list[Measurement]) -> Measurement:
    """Join measurements of one call; of the first, a warm-up, where there is nothing else."""
    rounds = runs[1:] or runs
    peaks = known_peaks(rounds) or known_peaks(runs)
    return Measurement(
        tuple(seconds for run in rounds for seconds in run.seconds),
        int(statistics.median(peaks)) if peaks else None,
    )


def known_peaks(runs: list[Measurement]) -> list[int]:
    """List the peaks that could be told."""
    return [run.peak_bytes for run in runs if run.peak_bytes is not None]


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
