"""Options that several commands have, spelled once."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]

# Spelled here so that `--help` loads no library; a test compares them with the package's own.
BACKENDS = ("numpy", "torch", "jax")
METHODS = ("spearman", "pearson")
TIES = ("average", "ordinal")
PRECISIONS = ("float32", "float64")
SCORES = ("magnitude", "channels")
SCORE_CHOICES = (*SCORES, "auto")
NORMS = ("l1", "l2", "none")
AGGS = ("sum", "mean", "max")
LAYERS = ("pooled", "mean", "last")
DIRECTIONS = ("tail", "head", "both")

FILE = click.Path()


class Whole(click.IntRange):
    """A whole number, under a shorter name, of at most 63 bits: what arrays and generators take."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read a number."""
        number: int = super().convert(value, param, ctx)
        if number >= 1 << 63:
            self.fail(f"{value} is too large a number", param, ctx)
        return number


SEED, POSITIVE = Whole(min=0), Whole(min=1)

# The options of `model` below, with the device that it runs on.
MODEL = (
    "factory",
    "model_args",
    "weights",
    "untrained_model",
    "trust_pickle",
    "crit",
    "x_files",
    "y_file",
    "blocks",
    "groups",
    "names",
    "device",
)

dry_run = click.option(
    "--dry-run", is_flag=True, help="Say what would be done and how much memory it takes."
)


def given() -> set[str]:
    """Name the options that the user wrote, and not those that are as usual."""
    context, written = click.get_current_context(), click.core.ParameterSource.COMMANDLINE
    return {name for name in context.params if context.get_parameter_source(name) is written}


by = click.option(
    "--by",
    type=click.Choice(["index", "name"]),
    help="What the ends of edges in tables are: indices from 0, or names of nodes. Needed only "
    "where names look like numbers.",
)


def all_of(*options: Decorator) -> Decorator:
    """Join decorators, in the order in which --help shows them."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class LayerChoice(click.ParamType):  # type: ignore[type-arg]
    """The name of a way to join layer pairs, or the number of one."""

    name = "name|number"

    def convert(self, value: Any, param: Any, ctx: Any) -> str | int:
        """Read a name or a number."""
        if isinstance(value, int) or value in LAYERS:
            return value  # type: ignore[no-any-return]
        if str(value).isdecimal():
            return int(value)
        self.fail(f"{value!r} is none of {', '.join(LAYERS)}, nor the number of a layer pair")


def score(choices: tuple[str, ...], usual: str) -> Decorator:
    """Give the option that chooses a score."""
    decorator: Decorator = click.option(
        "--score",
        type=click.Choice(choices),
        default=usual,
        show_default=True,
        help="Correlate the magnitudes of nodes, or all their channels"
        + (
            "; auto makes both, and takes the one that ranks the known edges better."
            if "auto" in choices
            else "; infer makes both, and chooses."
        ),
    )
    return decorator


model = all_of(
    click.option(
        "--model",
        "factory",
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
        show_default=True,
        metavar="MODULE:NAME",
        help="Loss, as crit(model(x), y).",
    ),
    click.option(
        "--x",
        "x_files",
        type=FILE,
        required=True,
        multiple=True,
        help="Inputs, a row for each sample: .npy, .npz:name, .zarr, .safetensors:name, .csv or "
        ".parquet; columns with names go to the model's inputs of these names. Again for each "
        "further argument of the model.",
    ),
    click.option(
        "--y", "y_file", type=FILE, required=True, help="Targets, in files as those of --x."
    ),
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
        help="Names of the nodes: .txt, .csv, .parquet or .json; else the model's.",
    ),
)
passes = all_of(
    click.option(
        "--norm",
        type=click.Choice(NORMS),
        default="l1",
        show_default=True,
        help="Size of a channel: |v|, v², or v itself.",
    ),
    click.option(
        "--agg",
        type=click.Choice(AGGS),
        default="sum",
        show_default=True,
        help="How the channels of a node become one number.",
    ),
    click.option(
        "--prenorm/--postnorm",
        default=True,
        show_default=True,
        help="Activations before or after a block's norm and nonlinearity.",
    ),
    click.option("--batch-size", type=POSITIVE, help="Rows at a time; by default all."),
    click.option(
        "--device", default="cpu", show_default=True, help="Where the model runs: cpu, cuda:0, ..."
    ),
    click.option(
        "--mode",
        type=click.Choice(["eval", "as-is"]),
        default="eval",
        show_default=True,
        help="Evaluation mode, or that in which the factory leaves the model.",
    ),
    click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of dropout."),
)
correlation = all_of(
    click.option(
        "--method",
        type=click.Choice(METHODS),
        default="spearman",
        show_default=True,
        help="Correlate ranks or values.",
    ),
    click.option(
        "--ties",
        type=click.Choice(TIES),
        default="average",
        show_default=True,
        help="Equal values share the mean of their ranks, or are ranked as they stand.",
    ),
    click.option(
        "--layers",
        type=LayerChoice(),
        help="Rank all layer pairs together (pooled), average their matrices (mean), or take the "
        "last, or that of a number.",
    ),
    click.option(
        "--n-components", type=POSITIVE, help="Principal components of a node, for channels."
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="float32",
        show_default=True,
        help="Precision of the correlation.",
    ),
)


def backend(default: str) -> Decorator:
    """Give the option of where the correlation runs."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        default=default,
        show_default=True,
        help="Array library that ranks and correlates.",
    )


ENDINGS = (".png", ".pdf", ".svg")


def figure_option(pictures: tuple[str, ...], text: str) -> Decorator:
    """Give the options of a picture and of what it shows; the first one is usual."""
    return all_of(
        click.option("--figure", type=FILE, help=f"{text} .png, .pdf or .svg."),
        click.option(
            "--picture",
            type=click.Choice(pictures),
            default=pictures[0],
            show_default=True,
            help="What --figure shows.",
        ),
    )


def check_figure(path: str | None) -> None:
    """Find out that a picture can be drawn and written, before any work."""
    if path is None:
        return
    from gsnn_edges import _validation
    from gsnn_edges.cli.tables import writable

    writable("--figure", path, ENDINGS)
    for library in ("matplotlib", "networkx", "scipy"):
        _validation.imported(library, f"--figure needs {library}", "plots")


def draw_evidence(path: str | None, picture: str, evidence: Any, held_out: Any) -> None:
    """Draw a matrix or the network of its strongest pairs, with known and held-out edges."""
    if path is None:
        return
    from gsnn_edges import plots
    from gsnn_edges.plots.style import WIDTH

    draw: Any = {"heatmap": plots.heatmap, "network": plots.edge_network}[picture]
    plots.save(draw(evidence, held_out=held_out, ax=plots.blank_axes(WIDTH, WIDTH)), path)


def draw_ranking(path: str | None, picture: str, ranking: Any) -> None:
    """Draw where held-out edges are ranked, beside random scores."""
    if path is None:
        return
    from gsnn_edges import plots

    draw: Any = {"ranks": plots.rank_histogram, "hits": plots.hits_curve}[picture]
    plots.save(draw(ranking, ax=plots.blank_axes()), path)
