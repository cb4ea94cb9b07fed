"""What a command shows: tables or JSON on standard output, progress on standard error."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import click

# Width of tables, which people and programs read.
WIDE = 200


@dataclass
class Screen:
    """How much a command shows, and in which form.

    Attributes
    ----------
    level : int
        Below 0: results to files and errors only; above 0: each step, and all warnings.
    as_json : bool
        One JSON object on standard output, and nothing else there.
    traceback : bool
        Show where an error was raised.
    resumes : bool
        Whether the same call continues unfinished work.
    """

    level: int = 0
    as_json: bool = False
    traceback: bool = False
    resumes: bool = False

    @property
    def progress(self) -> bool:
        """Whether progress is shown: on a terminal, or with --verbose."""
        return self.level > 0 or (self.level == 0 and sys.stderr.isatty())

    @property
    def unfinished(self) -> str:
        """What is left of work that was ended."""
        way = "; the same call goes on where it was" if self.resumes else ""
        return f"no result is written{way}"

    @contextmanager
    def work(self, what: str | None = None) -> Iterator[None]:
        """Show progress over batches and chunks; keep prints of a model out of the JSON."""
        from gsnn_edges._progress import watched

        shown = what is not None and self.progress
        if shown:
            click.echo(f"{what} ...", err=True)
        with redirect_stdout(sys.stderr if self.as_json else sys.stdout), watched(shown):
            yield

    def say(self, text: str) -> None:
        """Show a line of the result."""
        if self.level >= 0 and not self.as_json:
            click.echo(text)

    def files(self, files: Mapping[str, str | None]) -> list[str]:
        """Show which files were written; their names."""
        written = {what: file for what, file in files.items() if file is not None}
        for what, file in written.items():
            self.say(f"{what}: {file}")
        return list(written.values())

    def json(self, result: Mapping[str, Any]) -> None:
        """Show the result for a program, with --json."""
        if self.as_json:
            click.echo(json.dumps(dict(result), indent=2, allow_nan=False))

    def table(self, columns: Mapping[str, Sequence[Any]], title: str | None = None) -> None:
        """Show a table with numbers to the right; columns without any entry are left out."""
        if self.level < 0 or self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        cells = {name: list(map(_cell, values)) for name, values in columns.items()}
        cells = {name: texts for name, texts in cells.items() if any(texts)}
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, texts in cells.items():
            numbers = all(not text.strip("0123456789.,-+e[] ") for text in texts)
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in zip(*cells.values(), strict=True):
            # As Text: names may hold brackets, which rich would read as styles.
            table.add_row(*map(Text, row))
        # Wider than some terminals: a number that is folded or cut is another number.
        console = Console(width=WIDE, highlight=False)
        if title is not None:
            console.print(Text(title, "bold"))
        console.print(table)
        click.echo()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _switch(*names: str, help: str, **change: Any) -> click.Option:
    """Flag that changes the screen."""

    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        for name, setting in change.items() if value else ():
            setattr(ctx.ensure_object(Screen), name, setting)

    return click.Option(names, is_flag=True, expose_value=False, callback=callback, help=help)


SCREEN_OPTIONS = (
    _switch("-q", "--quiet", level=-1, help="No tables, no progress."),
    _switch("-v", "--verbose", level=1, help="Say what is done, and all warnings."),
    _switch("--traceback", traceback=True, help="Show where an error arose."),
)
JSON = _switch("--json", as_json=True, help="The result as JSON on standard output.")


class Command(click.Command):
    """A command with the options that all have."""

    def __init__(self, name: str | None, *, params: Any = None, **extra: Any) -> None:
        super().__init__(name, params=[*(params or []), JSON, *SCREEN_OPTIONS], **extra)
