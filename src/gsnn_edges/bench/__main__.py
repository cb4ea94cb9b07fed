"""``python -m gsnn_edges.bench``: the benchmark without the command line of the package."""

from pathlib import Path

import click

from gsnn_edges.bench.libraries import ON_DEVICE
from gsnn_edges.bench.report import Row, write_json
from gsnn_edges.bench.run import run_bench


@click.command()
@click.option("--quick", is_flag=True, help="The smallest sizes only.")
@click.option("--full", is_flag=True, help="The table of a GPU, every row of it.")
@click.option("--device", type=click.Choice(list(ON_DEVICE)), default="cpu", show_default=True)
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Of all sizes, with --full."
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(quick: bool, full: bool, device: str, scale: float, file: Path | None) -> None:
    """Measure, print one table, and write it as JSON if a file is given.

    With --full the file is written whole after each row, so that it holds what there is.
    """

    def keep(made: dict[str, str], rows: list[Row]) -> None:
        if file is not None:
            write_json(file, made, rows)

    try:
        run_bench(quick, device, full=full, scale=scale, each=keep)
    except (ImportError, MemoryError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
