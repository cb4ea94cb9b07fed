"""Progress of long work, on standard error, where the caller asks for it."""

import random
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], total: int, label: str, *, verbose: bool) -> Iterable[Item]:
    """Give the items, and show a bar with the time left; nothing where not ``verbose``."""
    if not verbose:
        return items
    state = random.getstate()
    from rich.console import Console
    from rich.progress import track as rich_track

    # The import draws from the user's generator, which is not ours to move.
    random.setstate(state)
    return rich_track(items, label, total=total, console=Console(stderr=True))
