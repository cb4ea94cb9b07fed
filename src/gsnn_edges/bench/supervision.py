"""A child process that works through cases, and is begun anew behind the one that stops it."""

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

# What a child says of a case, and what is said in its place: {"case": number, "row": {...}},
# or "begin", "done", "failed" with a reason, or "lost" with one.
Report = dict[str, Any]

NOT_REACHED = "not reached"
# A process that waits for a device may take a while to end.
END_SECONDS = 10


@dataclass(frozen=True)
class Limits:
    """Seconds for a child to begin its first case, and for each case; and the end of all.

    ``end`` is a time of ``time.monotonic()``.
    """

    begin: float
    case: float
    end: float

    def after(self, seconds: float) -> float:
        """Give the time so many seconds from now, or the end where that is earlier."""
        return min(self.end, time.monotonic() + seconds)


class Child:
    """A process that writes reports to its standard output, one JSON object a line."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.errors = TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, env=environment, text=True
        )
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Take lines as they come, and None behind the last: a thread may wait where we may not."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.put(line)
        self.lines.put(None)

    def report(self, until: float) -> Report | None:
        """Give the next report, None where there is none any more.

        Raises
        ------
        TimeoutError
            When it has not come by that time.
        """
        try:
            line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        return None if line is None else json.loads(line)

    def last_words(self) -> str:
        """Say how the process ended, and the last line of its errors."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        code = self.process.returncode
        how = f"killed by {signal.Signals(-code).name}" if (code or 0) < 0 else f"ended with {code}"
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return f"{how}: {text.rpartition(chr(10))[2]}" if text else how

    def stop(self) -> None:
        """End the process, if it has not ended."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.reader.join(END_SECONDS)
        self.errors.close()


def supervised(
    command: Callable[[int], Sequence[str]],
    cases: int,
    limits: Limits,
    environment: Mapping[str, str],
) -> Iterator[Report]:
    """Run cases in children; each is begun anew at the case behind the one that stopped it.

    Parameters
    ----------
    command
        ``command(first)`` runs the cases from ``first`` on, as `run_cases` does.
    cases
        How many there are.

    Yields
    ------
    dict
        A report of each row, and for each case without an end one that says why: "lost".
    """
    first = 0
    while first < cases:
        if time.monotonic() >= limits.end:
            yield {"case": first, "lost": NOT_REACHED}
            first += 1
            continue
        child = Child(command(first), environment)
        try:
            first = yield from watched(child, first, cases, limits)
        finally:
            child.stop()


def watched(child: Child, first: int, cases: int, limits: Limits) -> Generator[Report, None, int]:
    """Hand on the reports of a child until it ends; give the case to go on with."""
    number, begun, open_ = first, False, False
    until = limits.after(limits.begin)
    while True:
        try:
            report = child.report(until)
        except TimeoutError:
            reason = why_so_late(limits, limits.case if open_ else limits.begin)
            break
        if report is None:
            if number == cases:
                return cases
            reason = f"failed: {child.last_words()}"
            break
        number, begun, open_ = int(report["case"]), True, True
        if "failed" in report:
            yield {"case": number, "lost": f"failed: {report['failed']}"}
            return number + 1
        if "row" in report:
            yield report
        elif "begin" in report:
            until = limits.after(limits.case)
        else:
            number, open_, until = number + 1, False, limits.after(limits.begin)
    if open_:
        yield {"case": number, "lost": reason}
        return number + 1
    if begun or time.monotonic() >= limits.end:
        return number  # it ended between two cases, of which the next is not to blame
    # A child that cannot begin will not do so for the next case.
    for lost in range(first, cases):
        yield {"case": lost, "lost": reason}
    return cases


def why_so_late(limits: Limits, seconds: float) -> str:
    """Say which limit has ended a case."""
    if time.monotonic() >= limits.end:
        return "stopped: the time for all cases is over"
    return f"stopped: not done in {seconds:g} s"
