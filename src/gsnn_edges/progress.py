"""Progress of long work, on standard error, where the caller asks for it."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], total: int, label: str, *, verbose: bool) -> Iterable[Item]:
    """Give the items, and show a bar with the time left; nothing where not ``verbose``."""
    if not verbose:
        return items
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(items, label, total=total, console=Console(stderr=True))


@contextmanager
def stage(label: str, *, verbose: bool) -> Iterator[None]:
    """Say how long a step took, where ``verbose``."""
    start = time.perf_counter()
    yield
    if verbose:
        from rich.console import Console

        Console(stderr=True).print(f"{label}: {time.perf_counter() - start:.2f} s", style="dim")
