"""Work in a child process, whose end becomes an error here: JAX ends a process by SIGABRT."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def run_in_child(work: Callable[..., Any], **call: Any) -> None:
    """Call a function in a new process, which shows its progress on standard error.

    What libraries print there goes to a log, which stays where the process was ended by a signal.

    Raises
    ------
    Exception
        What the function raised; a RuntimeError where the process was ended.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    handle, log = tempfile.mkstemp(".log", "gsnn-edges-")
    os.close(handle)
    child = context.Process(target=_child, args=(theirs, log, work, call), daemon=True)
    child.start()
    theirs.close()
    ended = False
    try:
        error = ours.recv()
    except EOFError:  # before it could say how it went
        ended = True
        child.join()
        why = (
            "killed, as the system does when memory runs out"
            if child.exitcode == -signal.SIGKILL
            else "ended by JAX, as when another process is gone or has not joined in time"
        )
        raise RuntimeError(
            f"this process of the job was {why} (exit status {child.exitcode}; JAX's own lines are "
            f"in {log}); finished blocks are kept: run the same command again, in all processes"
        ) from None
    finally:
        child.kill()
        child.join()
        ours.close()
        if not ended:
            Path(log).unlink()
    if error is not None:
        raise error


def _child(result: Connection, log: str, work: Callable[..., Any], call: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        work(**call)
    except Exception as error:
        plain = type(error).__module__ == "builtins"
        result.send(error if plain else RuntimeError(f"{type(error).__name__}: {error}"))
    else:
        result.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
