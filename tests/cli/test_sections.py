"""Options stand under headings, each once."""

import click
import pytest

from gsnn_edges.cli.console import OTHERS, SECTIONS
from gsnn_edges.cli.main import COMMANDS, main


def sections_of(shown):
    """Give the first words of the lines under each heading."""
    found, heading = {}, None
    for line in shown.partition("\n\n  Example: ")[0].splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line[:-1]
            found[heading] = []
        elif heading and line.startswith("  -"):
            found[heading].append(line.split()[0])
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_once(name, run):
    command = main.get_command(click.Context(main), name)
    found = sections_of(run(name, "--help").stdout)
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert sum(map(len, found.values())) == len(options) + 1  # and --help


def test_many_options_are_parted(run):
    found = sections_of(run("infer", "--help").stdout)
    assert list(found) == [*(one for one in SECTIONS if one in found), OTHERS]
    assert found["Results"] == [
        "--top",
        "--out",
        "--evidence",
        "--metrics",
        "--figure",
        "--picture",
    ]
    assert "-q," in found[OTHERS]


def test_few_options_stay_together(run):
    assert list(sections_of(run("backends", "--help").stdout)) == [OTHERS]


def test_every_name_is_an_option_of_some_command():
    commands = [main.get_command(click.Context(main), name) for name in COMMANDS]
    there = {opt for command in commands for param in command.params for opt in param.opts}
    assert {f"--{name}" for names in SECTIONS.values() for name in names} - there == set()
