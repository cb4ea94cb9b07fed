"""gsnn-edges bench."""

from pathlib import Path

import click

from gsnn_edges.cli.console import Command, Screen


@click.command(cls=Command, epilog="Example: gsnn-edges bench --quick --json bench.json")
@click.option("--quick", is_flag=True, help="The smallest sizes only: one minute, not twelve.")
@click.option("--full", is_flag=True, help="The table of a GPU of 80 GB, every row of it.")
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Factor of all sizes of --full."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    is_flag=False,
    flag_value="-",
    help="The rows and what they were measured on, as JSON to a file or to standard output.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where torch and JAX arrays lie.",
)
@click.pass_obj
def bench(
    screen: Screen, quick: bool, full: bool, scale: float, json_file: Path | None, device: str
) -> None:
    """Time this package beside naive code and its peers."""
    from dataclasses import asdict

    from gsnn_edges import _validation
    from gsnn_edges.cli.paths import writable

    screen.as_json = str(json_file) == "-"
    if json_file is not None and not screen.as_json:
        writable("--json", json_file, [".json"])
    from gsnn_edges.bench import Row, run_bench
    from gsnn_edges.bench.report import render, write_json

    for library in () if full else ("scipy", "pandas"):
        _validation.imported(library, f"the bench has a peer of {library}", "bench")
    # With progress it shows its table by itself.
    shown = screen.progress and not screen.as_json
    made: dict[str, str] = {}

    def keep(environment: dict[str, str], rows: list[Row]) -> None:
        made.update(environment)
        if json_file is not None and not screen.as_json:
            write_json(json_file, environment, rows)

    with screen.work():
        rows = run_bench(quick, device, shown, full=full, scale=scale, each=keep)
    if not shown:
        screen.say(render(made, rows).rstrip())
    screen.facts({"environment": made, "rows": [{**asdict(r), "met": r.met} for r in rows]})
