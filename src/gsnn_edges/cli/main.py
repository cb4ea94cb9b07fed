"""The command gsnn-edges and what all its commands share: options, errors, exit codes."""

import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from traceback import walk_tb
from typing import Any

import click

from gsnn_edges import __version__
from gsnn_edges.cli.console import COMMON, Command, Screen

TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """The system asked this process to end; what is begun is put away on the way out."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)

    def __str__(self) -> str:
        return "the system ended it (signal 15)"


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn the signal into an exception, where a handler can be set: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


# Arguments that an option has another name for, or that a file is read to.
ARGUMENTS = {
    "A": "W",
    "arguments": "--model-args",
    "backend_device": "--device",
    "blocks": "--block",
    "crit": "--crit",
    "edge_index": "--known",
    "factory": "--model",
    "ks": "--k",
    "node_names": "--names",
    "store": "observations",
    "use_prenorm": "--prenorm",
}
# What Python writes, and what the command line does.
PHRASES = {
    r"\bresume=True\b": "--resume",
    r"\bresume=False\b": "--anew",
    r"\bresume\b(?=[:,.]|$)": "--resume",
    r"\bn_resamples=None\b": "--n-resamples 0",
    r"\bNone skips\b": "0 skips",
    r"\buse_prenorm=True\b": "--prenorm",
    r"\buse_prenorm=False\b": "--postnorm",
    r"\bblocks=None\b": "no --block",
    r"\bby trust_pickle\b": "by --trust-pickle",
    r"\bcapture_to_store\b": "gsnn-edges capture",
    r"\bcorrelate_store\b": "gsnn-edges correlate",
    r"\bEdgeEvidence\.save\b": "gsnn-edges infer --evidence",
}
# "x[0] must", "max_memory needs": what a sentence begins with.
SUBJECT = re.compile(r"^(\w+)(?:\[[^\]]*\])* (?=must |needs |has |lies )")
# "by='name'", "blocks=", "row_chunk=4".
ASSIGNED = re.compile(r"\b(\w+)=(?:'([^']*)'|(\d[\w.]*)|(?=[ ,;:.)]|$))")
QUOTED = re.compile(r"'([^']+)'")


def in_options(text: str, given: Mapping[str, Any]) -> str:
    """Write a sentence of the package in the options of the command that was called.

    Parameters
    ----------
    text : str
    given : mapping of options to what they were given

    Examples
    --------
    >>> in_options("max_memory must be bytes; got 'much'", {"--max-memory": "much"})
    "--max-memory must be bytes; got 'much'"
    >>> in_options("path must be a store; there is none at 'a.zarr'", {"--names": "a.zarr"})
    "--names must be a store; there is none at 'a.zarr'"
    >>> in_options("pass by='name'", {"--by": None})
    'pass --by name'
    """
    options = {option.lstrip("-").replace("-", "_"): option for option in given}
    options |= {name: option for name, option in ARGUMENTS.items() if option in given}
    for pattern, phrase in PHRASES.items():
        text = re.sub(pattern, phrase, text)
    text = ASSIGNED.sub(lambda found: assigned(found, options), text)
    found = SUBJECT.match(text)
    if found is None:
        return text
    of_path = option_of(text, given) if found[1] == "path" else None
    option = of_path or options.get(found[1])
    return text if option is None else f"{option} {text[found.end() :]}"


def assigned(found: re.Match[str], options: Mapping[str, str]) -> str:
    """Write an assignment as an option, where it is one."""
    option = options.get(found[1])
    if option is None:
        return found[0]
    value = found[2] or found[3]
    return option if value is None else f"{option} {value}"


def option_of(text: str, given: Mapping[str, Any]) -> str | None:
    """Find the option whose path a sentence quotes."""
    quoted = set(QUOTED.findall(text))
    paths = {option: value for option, value in given.items() if isinstance(value, str | tuple)}
    return next((option for option, value in paths.items() if texts_of(value) & quoted), None)


def texts_of(value: str | tuple[Any, ...]) -> set[str]:
    """Give the texts of an option, of several where it may be repeated."""
    return {one for one in ([value] if isinstance(value, str) else value) if isinstance(one, str)}


# What `observations` and `models` note on an error that passes them, and who it was.
NOTED = {
    r"raised by model\(": "the model",
    r"raised by crit\(": "the criterion",
    r"raised by the factory ('.*')": "the factory",
    r"raised by the import of ('.*')": "the module",
}
SHAPES = re.compile(r"prediction: (\([\d, ]*\)) [\w.]+, y: (\([\d, ]*\)) ")
# torch's warning of a loss that would spread one of both over the other, made an error here.
SIZE = r"size \(torch.Size\((.*?)\)\)"
SPREAD = re.compile(f"Using a target {SIZE}.*input {SIZE}")


def by_package(error: BaseException) -> bool:
    """Whether the package itself raised an error, and not what it called."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    last = f"{names[-1]}." if names else ""
    # The demo's network is a model like others.
    return last.startswith("gsnn_edges.") and not last.startswith("gsnn_edges.demo.")


def user_of(error: BaseException) -> str | None:
    """Say which code of the user's raised an error; None where it was none of it."""
    if by_package(error):
        return None
    for note in getattr(error, "__notes__", ()):
        for pattern, who in NOTED.items():
            found = re.match(pattern, note)
            if found:
                return " ".join([who, *found.groups()])
    return None


def wrong_targets(error: BaseException, given: Mapping[str, Any]) -> str | None:
    """Say that --y does not fit what the model gives, where a loss failed for that."""
    if "--y" not in given:
        return None
    spread = SPREAD.search(" ".join(str(error).split())) if isinstance(error, Warning) else None
    notes = " ".join(getattr(error, "__notes__", ()))
    shapes = SHAPES.search(notes) if user_of(error) == "the criterion" else None
    if spread:
        y, prediction = (as_shape(text) for text in spread.groups())
    elif shapes:
        prediction, y = (as_shape(text) for text in shapes.groups())
    else:
        return None
    # Other losses, such as cross entropy, take targets of another shape.
    if y == prediction or not (spread or "must match" in str(error)):
        return None
    if len(y) == len(prediction) == 2:
        found = f"--y has {y[1]} columns, the model gives {prediction[1]}"
    else:
        found = f"--y has the shape {y}, the model gives {prediction}"
    return f"{found}: give a target for each output"


def as_shape(text: str) -> tuple[int, ...]:
    """Read a shape.

    >>> as_shape("[40, 4]"), as_shape("(40,)")
    ((40, 4), (40,))
    """
    return tuple(int(size) for size in re.findall(r"\d+", text))


# In the order of their use. Each is a file of this name, read when it is asked for.
COMMANDS = (
    "capture",
    "correlate",
    "evaluate",
    "infer",
    "demo",
    "plan",
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
        if name == "completion":
            return completion
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


# The line of each shell, and the file that it is put into.
LINES = {
    "bash": ('eval "$(_GSNN_EDGES_COMPLETE=bash_source gsnn-edges)"', "~/.bashrc"),
    "zsh": ('eval "$(_GSNN_EDGES_COMPLETE=zsh_source gsnn-edges)"', "~/.zshrc"),
    "fish": (
        "_GSNN_EDGES_COMPLETE=fish_source gsnn-edges | source",
        "~/.config/fish/completions/gsnn-edges.fish",
    ),
}


HELP = """Print the line that switches on completion in a shell.

\b
gsnn-edges completion bash >> ~/.bashrc
gsnn-edges completion zsh >> ~/.zshrc
gsnn-edges completion fish > ~/.config/fish/completions/gsnn-edges.fish
"""


@click.command(cls=Command, help=HELP)
@click.argument("shell", type=click.Choice(list(LINES)))
def completion(shell: str) -> None:
    """Print the line that switches on completion in a shell."""
    click.echo(LINES[shell][0])
