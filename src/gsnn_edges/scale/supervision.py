"""The process that the caller is in: it starts the one that computes, and watches over all."""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gsnn_edges import _io
from gsnn_edges.scale.crew import BEAT, Crew, Loss
from gsnn_edges.scale.job import Job
from gsnn_edges.scale.machines import place
from gsnn_edges.scale.multihost_journal import Output

# Errors that a worker may report, by name; any other is a RuntimeError here.
ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (ImportError, MemoryError, OSError, TypeError, ValueError)
}
KILLED = 9
# How JAX's runtime ends a process that could not join.
ABORTED = -6
# Without the folder that the caller is in, where a file may bear the name of a library.
COMMAND = (sys.executable, "-P", "-m", "gsnn_edges.scale.worker")


@dataclass
class Worker:
    """The process that computes, and what it says; the runtime's many lines go to ``log``."""

    process: subprocess.Popen[str]
    messages: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    @classmethod
    def start(cls, job: Job, log: Path) -> "Worker":
        """Start it, and hand it the job."""
        with log.open("w") as errors:
            pipe = subprocess.PIPE
            process = subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        worker = cls(process)
        threading.Thread(target=worker.listen, daemon=True).start()
        worker.tell(job.to_json())
        return worker

    def listen(self) -> None:
        """Take every message, and at last the exit status."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            # Libraries may print there too.
            for line in filter(lambda line: line.startswith('{"kind"'), lines):
                self.messages.put(json.loads(line))
        self.messages.put({"kind": "exit", "status": self.process.wait()})

    def tell(self, line: str) -> None:
        """Send a line; a worker that is gone says so by its exit."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        """Give the next message, or silence after a second."""
        try:
            return self.messages.get(timeout=BEAT)
        except queue.Empty:
            return {"kind": "silence"}

    def stop(self) -> None:
        """End it, whatever it is waiting for."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()


@dataclass
class Watch:
    """One process of a run, from its start to its end."""

    job: Job
    output: Output
    timeout: float
    crew: Crew | None = None
    started: bool = False
    loss: Loss | None = None

    def progress(self) -> Iterator[tuple[int, int]]:
        """Run the worker; give how many rounds are done, and of how many.

        Raises
        ------
        RuntimeError
            When a process is gone.
        """
        self.output.folder.mkdir(parents=True, exist_ok=True)
        log = self.output.folder / f"worker-{socket.gethostname()}-{os.getpid()}.log"
        self.arrive()
        worker = Worker.start(self.job, log)
        try:
            yield from self.listen(worker, log)
        except BaseException as error:
            self.tell_others(error)
            raise
        finally:
            worker.stop()
        log.unlink(missing_ok=True)
        self.clear()

    def arrive(self) -> None:
        """Give a first sign of life, where it is known which process this is."""
        own = place(self.job.processes, self.job.process, os.environ)
        if own is not None:
            self.crew = Crew(self.output.folder, own.process, own.processes, self.timeout)
            self.crew.arrive()

    def listen(self, worker: Worker, log: Path) -> Iterator[tuple[int, int]]:
        """Go through what the worker says until it is done, and look after the others."""
        while (message := worker.next())["kind"] != "done":
            self.look_after_others()
            match message:
                case {"kind": "joined", "process": process, "count": count}:
                    self.joined(process, count)
                    worker.tell("go")
                case {"kind": "started"} if self.crew is not None:
                    self.started = True
                    self.crew.watch()
                case {"kind": "progress", "done": done, "total": total}:
                    yield done, total
                case {"kind": "error", "lost": True, "text": text} if not self.started:
                    raise self.failure(self.nobody(log, text), wait=False)
                case {"kind": "error", "lost": lost}:
                    raise self.failure(self.described(message, log), wait=lost)
                case {"kind": "exit", "status": status} if not self.started and status == ABORTED:
                    raise self.failure(self.nobody(log), wait=False)
                case {"kind": "exit", "status": status}:
                    killed = RuntimeError(f"{ended(status)}; what it said is in {log}")
                    raise self.failure(killed, wait=status != -KILLED)

    def joined(self, process: int, count: int) -> None:
        """Note which process this is, as the worker has found out."""
        if self.crew is None or (self.crew.process, self.crew.count) != (process, count):
            self.crew = Crew(self.output.folder, process, count, self.timeout)
        self.crew.say("running")

    def look_after_others(self) -> None:
        """Give a sign of life, and stop where another process gives none, or has failed."""
        if self.crew is not None:
            self.crew.beat("running" if self.started else "starting")
            loss = self.crew.lost() if self.started else self.crew.failed()
            if loss is not None:
                raise self.gone(loss)

    def nobody(self, log: Path, text: str = "it aborted") -> RuntimeError:
        """Say that the processes have not found each other in time."""
        where = self.job.coordinator or "the first process of the cluster"
        absent = [] if self.crew is None else self.crew.absent()
        unseen = f", and no sign came from process {', '.join(map(str, absent))}" if absent else ""
        number = "this process" if self.crew is None else f"process {self.crew.process}"
        return RuntimeError(
            f"{number} did not reach all others by way of {where} within "
            f"{self.job.start_timeout:g} s{unseen}: start all of them, see that the port is free "
            f"and open, or give a longer start_timeout; JAX says: {text}; the rest is in {log}"
        )

    def described(self, message: dict[str, Any], log: Path) -> Exception:
        """Give the error that the worker reports."""
        text: str = message["text"]
        if "RESOURCE_EXHAUSTED" in text:
            first = text.splitlines()[0]
            return MemoryError(f"{first}: give a smaller row_chunk, or more devices")
        if message["lost"]:
            return RuntimeError(f"JAX's runtime gave up: {text}; what else it said is in {log}")
        kind = ERRORS.get(message["type"], RuntimeError)
        if issubclass(kind, OSError):
            text = f"{text}; {self.output.progress()}; run the same command again to go on"
        return kind(text)

    def failure(self, error: Exception, *, wait: bool) -> Exception:
        """Say which other process is the reason for an error here, if one is."""
        loss = None
        if self.crew is not None and not self.started:
            loss = self.crew.failed()
        elif self.crew is not None and wait:
            loss = self.crew.wait_for_loss()
        return error if loss is None else self.gone(loss)

    def gone(self, loss: Loss) -> RuntimeError:
        """Give the one line that says what is lost, what is kept, and what to do."""
        assert self.crew is not None
        self.loss = loss
        return RuntimeError(
            f"process {loss.process} of {self.crew.count} is gone: {loss.why}; "
            f"{self.output.progress()}; run the same command again to go on"
        )

    def tell_others(self, error: BaseException) -> None:
        """Leave a word, so that the others need not wait."""
        if self.crew is not None:
            with suppress(OSError):
                self.crew.say("failed", self.loss or Loss(self.crew.process, in_a_line(error)))

    def clear(self) -> None:
        """Take the journal away when all have finished; one process does this."""
        assert self.crew is not None
        self.crew.say("done")
        if self.crew.process > 0:
            return
        deadline = time.monotonic() + self.timeout
        while not self.crew.all_done() and time.monotonic() < deadline:
            time.sleep(BEAT / 10)
        _io.discard(self.output.folder)


def in_a_line(error: BaseException) -> str:
    """Write an error, or its name where it says nothing."""
    return str(error) or type(error).__name__


def ended(status: int) -> str:
    """Say how the worker ended."""
    if status == -KILLED:
        return (
            "the worker was killed by signal 9, as the system does when memory runs out: a smaller "
            "row_chunk, or more processes, need less of it"
        )
    return f"the worker ended with status {status}"
