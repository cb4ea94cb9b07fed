"""A row of the table of wrong calls."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn


class Wrong(NamedTuple):
    """A wrong call: of what, with what error, and words that must stand in its message."""

    name: str
    function: str
    call: Callable[[], Any]
    error: type[Exception]
    phrase: str
    model: nn.Module | None = None
