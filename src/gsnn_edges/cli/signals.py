"""The signal by which systems and schedulers end a process: an end like any other, not a kill."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """The system asked this process to end; what is begun is put away on the way out."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)

    def __str__(self) -> str:
        return "the system ended it (signal 15)"


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn the signal into an exception, where a handler can be set: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
