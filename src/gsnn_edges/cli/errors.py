"""Errors, warnings and interrupts as one line each, and the exit code of each."""

import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from gsnn_edges.cli.screen import Screen
from gsnn_edges.cli.signals import Terminated

FAILED, WRONG, INTERRUPTED = 1, 2, 130
UNFINISHED = "no result is written; the same call goes on with what it began on disk"

# What the package raises for a call or an input that must change.
WRONG_INPUT = (
    TypeError,
    ValueError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


@contextmanager
def answered(screen: Screen) -> Iterator[None]:
    """Turn what is raised into a line on standard error and an exit code."""
    try:
        yield
    except click.exceptions.Abort:
        say(f"Interrupted: {UNFINISHED}")
        raise SystemExit(INTERRUPTED) from None
    except Terminated:
        say(f"Terminated: {UNFINISHED}")
        raise
    except click.ClickException as error:
        say(f"Error: {usage(error)}")
        raise SystemExit(WRONG) from None
    except Exception as error:
        if screen.traceback:
            traceback.print_exc()
        say(f"Error: {explained(error)}")
        raise SystemExit(WRONG if isinstance(error, WRONG_INPUT) else FAILED) from None


def usage(error: click.ClickException) -> str:
    """Give click's sentence, and where help is."""
    context = getattr(error, "ctx", None)
    sentence = one_line(error.format_message()).rstrip(".")
    return sentence if context is None else f"{sentence}: see {context.command_path} --help"


# Libraries that a command may need, and the extra that brings each.
EXTRAS = {
    "torch": "torch",
    "jax": "jax",
    "zarr": "store",
    "pandas": "frames",
    "scipy": "stats",
    "pyarrow": "files",
    "safetensors": "files",
    "matplotlib": "plots",
}


def explained(error: Exception) -> str:
    """Give an error in a line; its kind too, where the package did not write the sentence."""
    text = one_line(error)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in EXTRAS:
        extra = EXTRAS[missing]
        return f"this needs {missing}, which is not installed: pip install 'gsnn-edges[{extra}]'"
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return f"out of memory: {text or 'give a smaller batch, chunk or --max-memory'}"
    if isinstance(error, (*WRONG_INPUT, ImportError)) and text:
        return text
    if isinstance(error, OSError):
        return text
    kind = type(error).__name__
    return f"{kind}: {text} (--traceback shows where)" if text else f"{kind} (--traceback shows it)"


def one_line(text: Any) -> str:
    """Write a text in a line."""
    return " ".join(str(text).split())


def say(line: str) -> None:
    """Write a line to standard error."""
    click.echo(line, err=True)


@contextmanager
def lines_for_warnings(screen: Screen) -> Iterator[None]:
    """Show each warning of this package in a line, and those of others with --verbose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)

        def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
            ours = category is UserWarning
            if ours or screen.level > 0:
                # Past the reader of standard output under --json, which is redirected to here.
                click.echo(f"Warning: {one_line(message)}", file=sys.stderr)

        warnings.showwarning = show
        yield
