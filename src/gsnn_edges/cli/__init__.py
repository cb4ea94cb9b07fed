"""The gsnn-edges command: one file for each of its commands, loaded when it is asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsnn_edges.cli.group import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    # Not at once: an interrupt while click is loaded finds `start` at work.
    if name == "main":
        from gsnn_edges.cli.group import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
