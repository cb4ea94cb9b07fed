"""What a command shows: tables or JSON on standard output, progress on standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, TextIO

import click

# A line of a table that is read by another program must not be broken.
WIDE = 200


@dataclass
class Screen:
    """How much a command says, and in which form.

    Attributes
    ----------
    level : int
        Below 0: results to files and errors only; above 0: what is done, step by step.
    as_json : bool
        One JSON object on standard output, and nothing else there.
    traceback : bool
        Show where an error arose.
    given : mapping
        The options of the command that was called, with what they were given.
    resumes : bool
        Whether the same call goes on with what was begun.
    """

    level: int = 0
    as_json: bool = False
    traceback: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = False

    @property
    def progress(self) -> bool:
        """Whether progress is shown: to people, or to whoever asks for it."""
        return self.level > 0 or (self.level == 0 and sys.stderr.isatty())

    @contextmanager
    def work(self) -> Iterator[None]:
        """Keep what models and libraries print away from standard output, under --json."""
        if not self.as_json:
            yield
            return
        with redirect_stdout(sys.stderr):
            yield

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Say what is done, and show bars over its batches and chunks, where progress is shown."""
        from gsnn_edges._progress import watched

        if self.progress:
            click.echo(f"{what} ...", err=True)
        with self.work(), watched(self.progress):
            yield

    def note(self, text: str) -> None:
        """Say what is done, with --verbose."""
        if self.level > 0:
            click.echo(text, err=True)

    def say(self, text: str) -> None:
        """Say a line of the result to a reader."""
        if self.level >= 0 and not self.as_json:
            click.echo(text)

    def table(self, columns: Mapping[str, Sequence[Any]], title: str | None = None) -> None:
        """Show a table to a reader: texts to the left, numbers to the right."""
        if self.level < 0 or self.as_json:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        columns = {name: cells for name, cells in columns.items() if any(map(written, cells))}
        shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, values in columns.items():
            right = all(is_number(value) for value in values)
            # A number that is folded or cut is another number.
            width = max(len(written(value)) for value in values) if right else None
            side: Any = "right" if right else "left"
            shown.add_column(name, justify=side, overflow="fold", min_width=width, no_wrap=right)
        for row in zip(*columns.values(), strict=True):
            # As Text: names may hold brackets, which rich would read as styles.
            shown.add_row(*(Text(written(value)) for value in row))
        console = console_of(sys.stdout)
        if title is not None:
            console.print(Text(title, "bold"))
        unbound = console.options.update(max_width=WIDE)
        console.width = max(console.width, console.measure(shown, options=unbound).minimum)
        console.print(shown)
        click.echo()

    def facts(self, found: Mapping[str, Any]) -> None:
        """Write the machine-readable result, with --json."""
        if self.as_json:
            click.echo(json.dumps(dict(found), indent=2, allow_nan=False))


def console_of(stream: TextIO) -> Any:
    """Give rich's console; wide where nobody looks at it."""
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False)


def is_number(value: Any) -> bool:
    """Whether a cell is a number, an interval, "-" or empty, and so stands to the right."""
    text = str(value if value is not None else "")
    return not text.strip("0123456789.,-+e[] ")


def written(value: Any) -> str:
    """Write a cell: four digits behind the point, nothing for nothing."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def setter(name: str, step: Any) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Give a callback that changes the screen where an option is given."""

    def change(ctx: click.Context, _: click.Parameter, given: Any) -> None:
        if given:
            setattr(ctx.ensure_object(Screen), name, step)

    return change


def switch(*names: str, sets: str, to: Any, text: str) -> click.Option:
    """Make a flag of all commands, which changes the screen."""
    return click.Option(
        names, is_flag=True, expose_value=False, callback=setter(sets, to), help=text
    )


COMMON = (
    switch("-q", "--quiet", sets="level", to=-1, text="No tables, no progress."),
    switch("-v", "--verbose", sets="level", to=1, text="Say what is done, and all warnings."),
    switch("--traceback", sets="traceback", to=True, text="Show where an error arose."),
)
JSON = switch("--json", sets="as_json", to=True, text="The result as JSON on standard output.")


class Command(click.Command):
    """A command with the options that all have."""

    def __init__(self, name: str | None, *, params: Any = None, **extra: Any) -> None:
        super().__init__(name, params=[*(params or []), *COMMON], **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under headings."""
        write_sections(self.get_params(ctx), ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and keep what was given: errors are told in the words of this command."""
        ctx.ensure_object(Screen).given = {
            label_of(param): ctx.params.get(param.name or "") for param in self.params
        }
        return super().invoke(ctx)


def label_of(param: click.Parameter) -> str:
    """Name an option or an argument as the user typed it, or saw it in the help."""
    longest = max(param.opts, key=len)
    return str(param.metavar or longest) if isinstance(param, click.Argument) else longest


class Stage(Command):
    """A command with a result that can be had as JSON."""

    def __init__(self, name: str | None, *, params: Any = None, **extra: Any) -> None:
        super().__init__(name, params=[*(params or []), JSON], **extra)


SECTIONS = {
    "Model and data": (
        "model", "model-args", "weights", "untrained-model", "trust-pickle", "crit", "x", "y",
        "block", "groups", "names",
    ),
    "Passes": ("norm", "agg", "prenorm", "batch-size", "mode"),
    "Correlation": (
        "score", "method", "ties", "layers", "n-components", "threshold",
    ),
    "Where it runs": (
        "backend", "device", "devices", "precision", "max-memory", "scratch", "resume",
    ),
    "Several machines": ("coordinator", "processes", "process", "distributed"),
    "Edges": ("edges", "known", "by", "direction", "candidates", "exclude-self"),
    "Metrics": ("k", "confidence", "n-resamples", "cluster"),
    "Results": ("top", "out", "evidence", "metrics", "figure", "picture"),
}  # fmt: skip
# Names that are all in one heading are not worth several.
FEW = 10
OTHERS = "Options"


def write_sections(
    params: Sequence[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options, those of many under the headings that they belong to."""
    home = {f"--{name}": section for section, names in SECTIONS.items() for name in names}
    rows: dict[str, list[tuple[str, str]]] = {section: [] for section in (*SECTIONS, OTHERS)}
    options = [param for param in params if isinstance(param, click.Option)]
    shown = [(option, option.get_help_record(ctx)) for option in options]
    many = sum(record is not None for _, record in shown) > FEW
    for option, record in shown:
        if record is not None:
            longest = max(option.opts, key=len)
            rows[home.get(longest, OTHERS) if many else OTHERS].append(record)
    for section, records in rows.items():
        if records:
            with formatter.section(section):
                formatter.write_dl(records)
