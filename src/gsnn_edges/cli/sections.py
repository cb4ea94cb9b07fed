"""The options of a command under headings, for its help."""

from collections.abc import Sequence

import click

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
