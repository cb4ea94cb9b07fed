"""Pictures that a command leaves in a file."""

from typing import Any

import click

from gsnn_edges.cli import options

ENDINGS = (".png", ".pdf", ".svg")


def figure_option(pictures: tuple[str, ...], text: str) -> options.Decorator:
    """Give the options of a picture and of what it shows; the first one is usual."""
    return options.all_of(
        click.option("--figure", type=options.FILE, help=f"{text} .png, .pdf or .svg."),
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
    from gsnn_edges.cli.paths import writable

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
