"""Errors, warnings and interrupts as one line each, and the exit code of each."""

import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from gsnn_edges.cli.blame import by_package, user_of, wrong_targets
from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.signals import Terminated
from gsnn_edges.cli.words import in_options, option_of

FAILED, WRONG, INTERRUPTED = 1, 2, 130

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


class Interrupted(Exception):
    """Ctrl-C, past click."""


@contextmanager
def answered(screen: Screen) -> Iterator[None]:
    """Turn what is raised into a line on standard error and an exit code."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt, click.exceptions.Abort):
        say(f"Interrupted: {unfinished(screen)}")
        raise SystemExit(INTERRUPTED) from None
    except Terminated:
        say(f"Terminated: {unfinished(screen)}")
        raise
    except click.ClickException as error:
        say(f"Error: {usage(error)}")
        raise SystemExit(WRONG) from None
    except Exception as error:
        if screen.traceback:
            traceback.print_exc()
        line, code = answer(error, screen.given)
        say(f"Error: {line}")
        raise SystemExit(code) from None


def unfinished(screen: Screen) -> str:
    """Say what is left of work that was ended."""
    way = "; the same call goes on where it was" if screen.resumes else ""
    return f"no result is written{way}"


def answer(error: Exception, given: Mapping[str, Any]) -> tuple[str, int]:
    """Give a line, and the code: that of wrong input, or of work that failed."""
    targets = wrong_targets(error, given)
    if targets is not None:
        return targets, WRONG
    user = user_of(error)
    if user is not None:
        return of_user(user, error), FAILED
    wrong = isinstance(error, WRONG_INPUT)
    return in_options(explained(error, given), given), WRONG if wrong else FAILED


def of_user(user: str, error: Exception) -> str:
    """Give an error of the user's own code: what it was, and where it can be seen."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{user} needs {error.name!r}, which is not installed: install it"
    text = one_line(error)
    kind = type(error).__name__
    if is_memory(error):
        return f"out of memory in {user}: give a smaller --batch-size ({kind}: {text[:120]})"
    return f"{user} raised {kind}{text and f': {text}'} (--traceback shows where)"


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


def is_memory(error: Exception) -> bool:
    """Whether there was too little memory, of the host or of a device."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def explained(error: Exception, given: Mapping[str, Any]) -> str:
    """Give an error in a line; its kind too, where the package did not write the sentence."""
    text = one_line(error)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in EXTRAS:
        extra = EXTRAS[missing]
        return f"this needs {missing}, which is not installed: pip install 'gsnn-edges[{extra}]'"
    if is_memory(error):
        return f"out of memory: {text or 'give a smaller batch, chunk or --max-memory'}"
    ours = isinstance(error, RuntimeError) and by_package(error)
    if text and (ours or isinstance(error, (*WRONG_INPUT, ImportError))):
        return text
    if isinstance(error, OSError):
        return of_disk(text, given)
    kind = type(error).__name__
    return f"{kind}: {text} (--traceback shows where)" if text else f"{kind} (--traceback shows it)"


def of_disk(text: str, given: Mapping[str, Any]) -> str:
    """Say which option a file that could not be written is of, without the system's number."""
    text = re.sub(r"^\[Errno \d+\] ", "", text)
    option = option_of(text, given)
    if option is not None:
        return f"{option} {text}"
    out = given.get("--out")
    return f"--out {out!r}: {text}" if isinstance(out, str) else text


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
        # A loss of two shapes compares each row with each other: a wrong file, never meant.
        warnings.filterwarnings("error", "Using a target size", UserWarning)

        def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
            ours = category is UserWarning
            if ours or screen.level > 0:
                # Past the reader of standard output under --json, which is redirected to here.
                click.echo(f"Warning: {one_line(message)}", file=sys.stderr)

        warnings.showwarning = show
        yield
