"""Signs of life of every process, in files beside the output: who is gone, and why."""

import json
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BEAT = 1.0  # seconds between two signs


@dataclass(frozen=True)
class Loss:
    """A process that will not go on."""

    process: int
    why: str


@dataclass
class Crew:
    """The processes of a run, as one of them sees them.

    Files on the disk that all write W to need no connection that a loss could break, and no
    clock that all agree on: a process is gone when its file has not changed for ``timeout``
    seconds of one's own clock.
    """

    folder: Path
    process: int
    count: int
    timeout: float
    beats: int = 0
    last_beat: float = float("-inf")
    seen: dict[int, tuple[Any, float]] = field(default_factory=dict)
    before: dict[int, Any] = field(default_factory=dict)
    who: str = field(default_factory=lambda: uuid.uuid4().hex)

    def path(self, process: int) -> Path:
        """Give the file of a process."""
        return self.folder / f"process-{process}.json"

    @property
    def others(self) -> list[int]:
        """Number the other processes."""
        return [q for q in range(self.count) if q != self.process]

    def arrive(self) -> None:
        """Say that this process is there, before it has joined; what others said ago is old."""
        self.before = {q: self.read(q) for q in self.others}
        self.say("starting")

    def failed(self) -> Loss | None:
        """Give the first process that has failed since this one arrived."""
        for process in self.others:
            found = self.read(process)
            if found is not None and found["lost"] and found != self.before.get(process):
                return Loss(*found["lost"])
        return None

    def absent(self) -> list[int]:
        """Give the numbers of those that have not given a sign since this one arrived."""
        return [q for q in self.others if self.read(q) in (None, self.before.get(q))]

    def beat(self, state: str = "running") -> None:
        """Give a sign of life, where the last one is a second old."""
        if time.monotonic() - self.last_beat >= BEAT:
            # One that cannot be written is one that the others miss; the next may be.
            with suppress(OSError):
                self.say(state)

    def say(self, state: str, loss: Loss | None = None) -> None:
        """Write down how this process does; the others learn of a loss by it."""
        self.beats += 1
        self.last_beat = time.monotonic()
        lost = None if loss is None else [loss.process, loss.why]
        unfinished = self.path(self.process).with_suffix(".unfinished")
        said = {"state": state, "beats": self.beats, "lost": lost, "who": self.who}
        unfinished.write_text(json.dumps(said))
        os.replace(unfinished, self.path(self.process))

    def watch(self) -> None:
        """Begin to count silence."""
        now = time.monotonic()
        self.seen = dict.fromkeys(self.others, (None, now))

    def lost(self) -> Loss | None:
        """Give the first process that is gone, or says that one is."""
        return next(filter(None, map(self.lost_one, self.seen)), None)

    def lost_one(self, process: int) -> Loss | None:
        """Look at the file of another process."""
        found, (known, since) = self.read(process), self.seen[process]
        now = time.monotonic()
        if found is not None and found != known:
            self.seen[process] = found, now
            old = found["lost"] is None or found == self.before.get(process)
            return None if old else Loss(*found["lost"])
        finished = found is not None and found["state"] == "done"
        if finished or now - since <= self.timeout:
            return None
        return Loss(process, f"no sign of life for {self.timeout:g} s")

    def read(self, process: int) -> dict[str, Any] | None:
        """Give what a process has written; None where there is nothing, or nothing whole.

        Disks over a network give stale handles and empty files for a while.
        """
        try:
            found: dict[str, Any] = json.loads(self.path(process).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def all_done(self) -> bool:
        """Whether every other process has finished."""
        states = [self.read(process) for process in self.seen]
        return all(found is not None and found["state"] == "done" for found in states)

    def wait_for_loss(self) -> Loss | None:
        """Find out who is gone, when the connection to somebody is."""
        deadline = time.monotonic() + self.timeout + 2 * BEAT
        while time.monotonic() < deadline and self.seen:
            self.beat()
            loss = self.lost()
            if loss is not None:
                return loss
            time.sleep(BEAT / 4)
        return None
