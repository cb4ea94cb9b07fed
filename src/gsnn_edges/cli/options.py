"""Options that several commands have, named as the arguments of the package are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import click

from gsnn_edges._typing import Agg, Method, Norm, Precision, Score, Ties

Decorator = Callable[[Any], Any]

SCORES = get_args(Score)
FILE = click.Path()
SEED, POSITIVE = click.IntRange(min=0), click.IntRange(min=1)
# Options of `passes` below that are arguments of capture.
PASSES = ("use_prenorm", "device", "batch_size", "mode", "seed")


def choice(name: str, choices: Sequence[str], help: str, **extra: Any) -> Decorator:
    """Option with a few values, the first of which is the default."""
    kind: Any = click.Choice(choices)
    return click.option(name, **{"type": kind, "default": choices[0], "help": help, **extra})


def file(name: str, help: str, **extra: Any) -> Decorator:
    """Option that names a file."""
    return click.option(name, type=FILE, help=help, **extra)


def _all(*options: Decorator) -> Decorator:
    """Join options, in the order in which --help shows them."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _layers(_: click.Context, __: click.Parameter, value: str | None) -> str | int | None:
    return int(value) if value is not None and value.isdecimal() else value


def _mode(_: click.Context, __: click.Parameter, value: str) -> str | None:
    return "eval" if value == "eval" else None


def backend(default: str) -> Decorator:
    """Option of where the correlation runs."""
    text = "Array library that ranks and correlates."
    return choice("--backend", ("numpy", "torch", "jax"), text, default=default)


def figure(pictures: tuple[str, ...], text: str) -> Decorator:
    """Options of a picture and of what it shows."""
    return _all(
        file("--figure", f"{text} .png, .pdf or .svg."),
        choice("--picture", pictures, "What --figure shows."),
    )


def flag(name: str, help: str, **extra: Any) -> Decorator:
    """Option without a value."""
    return click.option(name, is_flag=True, help=help, **extra)


dry_run = flag("--dry-run", "Say what would be done and how much memory it takes.")
by = choice(
    "--by",
    ("index", "name"),
    "Ends of edges are indices from 0, or names; needed where names look like numbers.",
    default=None,
)
score = choice(
    "--score",
    ("auto", *SCORES),
    "Magnitudes of nodes, all their channels, or the one that ranks known edges better.",
)
header = click.option(
    "--header/--no-header",
    default=None,
    help="Whether a csv begins with names; needed where it begins with numbers.",
)
model = _all(
    click.option("--model", metavar="MODULE:NAME", help="Function or class that makes the model."),
    click.option("--model-args", metavar="JSON", help="Its arguments, as '{\"layers\": 4}'."),
    file("--weights", "State dict: .safetensors, or .pt; no code in it is run."),
    flag("--untrained-model", "Take the model as --model makes it, without --weights."),
    file("--trust-pickle", "A whole pickled model; runs whatever code the file names."),
    click.option(
        "--crit",
        default="torch.nn:MSELoss",
        metavar="MODULE:NAME",
        help="Loss, as crit(model(x), y).",
    ),
    file(
        "--x",
        "Inputs, a row for each sample: .npy, .npz:name, .zarr, .safetensors:name or a table; "
        "columns with names go to these inputs. Again for each further argument of the model.",
        required=True,
        multiple=True,
    ),
    file("--y", "Targets, in files as those of --x.", required=True),
    click.option("--index", metavar="COLUMN", help="The column with the names of the samples."),
    header,
    click.option(
        "--block",
        "blocks",
        multiple=True,
        metavar="MODULE",
        help="A layer of a model that is no GSNN; once for each, in order.",
    ),
    file("--groups", "The node of each channel of these layers: whole numbers, as --x."),
    file("--names", "Names of the nodes: .txt, .json, or a table with a column name."),
    click.option("--device", default="cpu", help="Where the model runs: cpu, cuda:0, ..."),
)
passes = _all(
    choice("--norm", get_args(Norm), "Size of a channel: |v|, v², or v itself."),
    choice("--agg", get_args(Agg), "How the channels of a node become one number."),
    click.option(
        "--prenorm/--postnorm",
        "use_prenorm",
        default=True,
        help="Activations before or after a block's norm and nonlinearity.",
    ),
    click.option(
        "--batch-size", type=POSITIVE, help="Rows at a time; by default all, or what is fastest."
    ),
    choice("--mode", ("eval", "as-is"), "Mode of the model in the passes.", callback=_mode),
    click.option("--seed", type=SEED, default=0, help="Seed of dropout."),
)
correlation = _all(
    choice("--method", get_args(Method), "Correlate ranks or values."),
    choice("--ties", get_args(Ties), "Equal values share a rank, or are ranked as they stand."),
    click.option(
        "--layers",
        callback=_layers,
        metavar="NAME|NUMBER",
        help="Layer pairs: pooled, the mean of their matrices, the last, or one by its number.",
    ),
    click.option("--n-components", type=POSITIVE, help="Principal components, for channels."),
    choice("--precision", get_args(Precision), "Precision of the correlation."),
)


def input_files(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Files that the options of a model name, by their options."""
    names = ("x", "y", "weights", "trust_pickle", "groups", "names")
    return {f"--{name.replace('_', '-')}": settings[name] for name in names}


def check_figure(path: str | None) -> None:
    """Check, before any work, that a picture can be drawn and written."""
    if path is None:
        return
    from gsnn_edges import _validation
    from gsnn_edges.cli.tables import writable

    writable("--figure", path, (".png", ".pdf", ".svg"))
    for library in ("matplotlib", "networkx", "scipy"):
        _validation.imported(library, f"--figure needs {library}", "plots")
