"""The command gsnn-edges: its commands, and the line and the exit code that end each call."""

import io
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from gsnn_edges import __version__
from gsnn_edges.cli.console import SCREEN_OPTIONS, Screen

# In the order of their use. Each is a file cmd_NAME.py, imported when it is called.
COMMANDS = ("capture", "correlate", "evaluate", "infer", "compare", "demo", "plan", "backends")
EPILOG = """\b
Exit codes:
    0  done
    1  the work failed: out of memory or disk, something not installed, or an error
       that the model, its factory or the loss raised
    2  wrong usage or wrong input; nothing was done
  130  interrupted by Ctrl-C
  143  ended by the system (SIGTERM), as a scheduler does
Results go to standard output; progress, warnings, errors to standard error.
"""
FAILED, WRONG, INTERRUPTED, TERMINATED = 1, 2, 130, 128 + signal.SIGTERM
# What the package raises for a call or an input that must change. A warning is raised where
# targets do not have the shape of the model's output.
WRONG_INPUT = (
    TypeError,
    ValueError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    Warning,
)


class _Interrupted(Exception):
    """Ctrl-C, past click, which would begin a new line."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            ctx.fail(f"No such command {name!r}: there are {', '.join(COMMANDS)}")
        if name not in self.commands:
            self.add_command(getattr(import_module(f"gsnn_edges.cli.cmd_{name}"), name))
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None

    def main(self, args: Any = None, *_: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        extra["prog_name"] = "gsnn-edges"  # for `python -m gsnn_edges.cli` too
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by the shell, as by >&-
                setattr(sys, name, io.StringIO())
        screen = extra.setdefault("obj", Screen())
        with _warnings_as_lines(screen), _errors_as_lines(screen), _sigterm_as_exit():
            code = super().main(args, standalone_mode=False, **extra)
            raise SystemExit(code if isinstance(code, int) else 0)


@click.group(
    "gsnn-edges",
    cls=_Group,
    invoke_without_command=True,
    params=[*SCREEN_OPTIONS],
    epilog=EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, prog_name="gsnn-edges")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Find the edges that a trained Graph Structured Neural Network is missing.

    In three stages over files, on one machine or on several: capture runs the model (torch),
    correlate makes W of what was captured (no torch), evaluate ranks held-out edges by W. infer
    does all three in one; compare ranks by several models and by baselines.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Have SIGTERM unwind the stack, so that unfinished files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set a handler
        return

    def end(*_: Any) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _warnings_as_lines(screen: Screen) -> Iterator[None]:
    """Show each warning of this package in a line, and those of libraries with --verbose."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # A loss of two shapes compares every sample with every other: a wrong file, never meant.
        warnings.filterwarnings("error", "Using a target size", UserWarning)

        def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
            if category is UserWarning or screen.level > 0:
                # Not by click, whose standard output is standard error under --json.
                click.echo(f"Warning: {_one_line(message)}", file=sys.stderr)

        warnings.showwarning = show
        yield


@contextmanager
def _errors_as_lines(screen: Screen) -> Iterator[None]:
    """End with a line on standard error and an exit code, whatever is raised."""
    try:
        yield
        return
    except (_Interrupted, KeyboardInterrupt, click.exceptions.Abort):
        line, code = f"Interrupted: {screen.unfinished}", INTERRUPTED
    except SystemExit as end:
        if end.code != TERMINATED:
            raise
        line, code = f"Terminated: {screen.unfinished}", TERMINATED
    except click.ClickException as error:
        line, code = f"Error: {_usage(error)}", WRONG
    except Exception as error:
        if screen.traceback:
            traceback.print_exc()
        text, code = _explained(error)
        line = f"Error: {text}"
    click.echo(line, err=True)
    raise SystemExit(code) from None


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    sentence = _one_line(error.format_message()).rstrip(".")
    return sentence if context is None else f"{sentence}: see {context.command_path} --help"


def _explained(error: Exception) -> tuple[str, int]:
    """Text and exit code of an error: of a wrong input, or of work that failed."""
    text, kind = _one_line(error), type(error).__name__
    ours = _raised_by_package(error)
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("raised by")]
    where = ", ".join([*notes, "--traceback shows where"])
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        way = "smaller --batch-size or --max-memory"
        return f"out of memory: {text or kind}: give a {way} ({where})", FAILED
    if notes and not ours:
        return f"{kind}: {text} ({where})", FAILED
    if text and isinstance(error, WRONG_INPUT):
        return text, WRONG
    if text and (isinstance(error, ImportError | OSError) or (ours and kind == "RuntimeError")):
        return text, FAILED
    code = WRONG if isinstance(error, WRONG_INPUT) else FAILED
    return _one_line(f"{kind}: {text} ({where})"), code


def _raised_by_package(error: Exception) -> bool:
    """Whether this package raised an error, and not a model, a loss or a library."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    name = frames[-1].f_globals.get("__name__", "") if frames else ""
    # The demo's network is a model like others.
    return name.startswith("gsnn_edges.") and not name.startswith("gsnn_edges.demo.")


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())
