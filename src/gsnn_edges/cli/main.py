"""The command gsnn-edges and what all its commands share: options, errors, exit codes."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from gsnn_edges import __version__
from gsnn_edges.cli.console import COMMON, Screen
from gsnn_edges.cli.errors import Interrupted, answered, lines_for_warnings
from gsnn_edges.cli.signals import ending_in_order

# In the order of their use. Each is a file of this name, read when it is asked for.
COMMANDS = (
    "capture",
    "correlate",
    "evaluate",
    "infer",
    "demo",
    "plan",
    "bench",
    "backends",
    "completion",
)
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


class LazyGroup(click.Group):
    """A group that imports a command's file when it is asked for, and answers errors in a line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"gsnn_edges.cli.cmd_{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], COMMANDS, 1)
            if not close or close[0] in error.message:
                raise
            found = f"{error.message.rstrip('.')}, did you mean {close[0]!r}?"
            raise click.UsageError(found, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an interrupt goes past click, which would begin a new line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None

    def main(self, args: Any = None, *_: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run, and exit with a code that says how it went."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        screen = extra.setdefault("obj", Screen())
        with lines_for_warnings(screen), answered(screen), ending_in_order():
            code = super().main(args, standalone_mode=False, **extra)
            raise SystemExit(code if isinstance(code, int) else 0)


@click.group(
    "gsnn-edges",
    cls=LazyGroup,
    invoke_without_command=True,
    params=[*COMMON],
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gsnn-edges")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Find the edges that a trained Graph Structured Neural Network is missing.

    In three stages over files, on one machine or on several: capture runs the model (torch),
    correlate makes W of what was captured (no torch), evaluate ranks held-out edges by W. infer
    does all three in one.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
