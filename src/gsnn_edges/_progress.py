"""Progress of long work, on standard error, where the caller asks for it."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

_watched: ContextVar[bool] = ContextVar("watched", default=False)


@contextmanager
def watched(shown: bool = True) -> Iterator[None]:
    """Have loops that are not asked themselves, over batches and chunks, show their progress."""
    token = _watched.set(shown)
    try:
        yield
    finally:
        _watched.reset(token)


def track(items: Iterable[Item], total: int, label: str, *, verbose: bool | None) -> Iterable[Item]:
    """Items one by one, with a bar and the time left where ``verbose``.

    None leaves it to `watched`, for loops of more than one step.
    """
    if verbose is None:
        verbose = _watched.get() and total > 1
    if not verbose:
        return items
    state = random.getstate()
    from rich.console import Console
    from rich.progress import track as rich_track

    # The import draws from the user's generator, which is not ours to move.
    random.setstate(state)
    return rich_track(items, label, total=total, console=Console(stderr=True))
