"""Options that several commands have, named as the arguments of the package are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import click

from gsnn_edges._typing import Agg, Method, Norm, Precision, Score, Ties

Decorator = Callable[[Any], Any]

SCORES = get_args(Score)
FILE = click.Path()
# Options of `passes` below that are arguments of capture.
PASSES = ("use_prenorm", "device", "batch_size", "mode", "seed")


SEED, POSITIVE = click.IntRange(min=0), click.IntRange(min=1)


def choice(name: str, choices: Sequence[str], help: str, **extra: Any) -> Decorator:
    """Option with a few values, the first of which is the default."""
    kind: Any = click.Choice(choices)
    return click.option(name, **{"type": kind, "default": choices[0], "help": help, **extra})


def _all(*options: Decorator) -> Decorator:
    """Join options, in the order in which --help shows them."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _layers(_: click.Context, __: click.Parameter, value: str | None) -> str | int | None:
    return int(value) if value is not None and value.isdecimal() else value


def backend(default: str) -> Decorator:
    """Option of where the correlation runs."""
    text = "Array library that ranks and correlates."
    return choice("--backend", ("numpy", "torch", "jax"), text, default=default)


def figure(pictures: tuple[str, ...], text: str) -> Decorator:
    """Options of a picture and of what it shows."""
    return _all(
        click.option("--figure", type=FILE, help=f"{text} .png, .pdf or .svg."),
        choice("--picture", pictures, "What --figure shows."),
    )


dry_run = click.option(
    "--dry-run", is_flag=True, help="Say what would be done and how much memory it takes."
)
by = click.option(
    "--by",
    type=click.Choice(["index", "name"]),
    help="What the ends of edges in tables are: indices from 0, or names of nodes. Needed only "
    "where names look like numbers.",
)
header = click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first record of a .csv or .tsv holds names. Needed only where it holds whole "
    "numbers alone.",
)
model = _all(
    click.option(
        "--model",
        metavar="MODULE:NAME",
        help="Function or class that makes the model, as package.module:name; it is imported from "
        "the current folder too, and called without arguments.",
    ),
    click.option(
        "--model-args", metavar="JSON", help="Its keyword arguments, as '{\"layers\": 4}'."
    ),
    click.option(
        "--weights",
        type=FILE,
        help="State dict: .safetensors, or .pt read without running code.",
    ),
    click.option(
        "--untrained-model",
        is_flag=True,
        help="Take the model as the factory makes it, without --weights.",
    ),
    click.option(
        "--trust-pickle",
        type=FILE,
        help="A whole pickled model in place of --model and --weights. Unpickling runs whatever "
        "code the file names.",
    ),
    click.option(
        "--crit",
        default="torch.nn:MSELoss",
        metavar="MODULE:NAME",
        help="Loss, as crit(model(x), y).",
    ),
    click.option(
        "--x",
        type=FILE,
        required=True,
        multiple=True,
        help="Inputs, a row for each sample: .npy, .npz:name, .zarr, .safetensors:name, .csv, "
        ".tsv (also .gz) or .parquet; columns with names go to the model's inputs of these names. "
        "Again for each further argument of the model.",
    ),
    click.option("--y", type=FILE, required=True, help="Targets, in files as those of --x."),
    click.option("--index", metavar="COLUMN", help="The column with the names of the samples."),
    header,
    click.option(
        "--block",
        "blocks",
        multiple=True,
        metavar="MODULE",
        help="A layer of a model that is no GSNN, by its dotted name; once for each, in order.",
    ),
    click.option(
        "--groups",
        type=FILE,
        help="The node of each channel of the layers that --block names: whole numbers, as --x.",
    ),
    click.option(
        "--names",
        type=FILE,
        help="Names of the nodes: .txt, .json, or a table with a column name; else the model's.",
    ),
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
    click.option("--batch-size", type=POSITIVE, help="Rows at a time; by default all."),
    choice(
        "--mode",
        ("eval", "as-is"),
        "Evaluation mode, or that in which the factory leaves the model.",
        callback=lambda _, __, value: "eval" if value == "eval" else None,
    ),
    click.option("--seed", type=SEED, default=0, help="Seed of dropout."),
)
correlation = _all(
    choice("--method", get_args(Method), "Correlate ranks or values."),
    choice(
        "--ties",
        get_args(Ties),
        "Equal values share the mean of their ranks, or are ranked as they stand.",
    ),
    click.option(
        "--layers",
        callback=_layers,
        metavar="NAME|NUMBER",
        help="Rank all layer pairs together (pooled), average their matrices (mean), or take the "
        "last, or that of a number.",
    ),
    click.option(
        "--n-components", type=POSITIVE, help="Principal components of a node, for channels."
    ),
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
