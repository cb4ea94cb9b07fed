"""What all commands share: help, version, laziness, and the way out of an interrupt."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

import gsnn_edges
from gsnn_edges.cli.main import COMMANDS, main

HEAVY = {"numpy", "rich", "torch", "jax", "pandas", "pyarrow", "scipy", "zarr", "array_api_compat"}
WIDTH = 62  # what click gives the sentence of a command on a screen of 80


def command(name):
    return main.get_command(click.Context(main), name)


def test_version_is_the_packages(run):
    assert run("--version").output == f"gsnn-edges, version {gsnn_edges.__version__}\n"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_explains(name, run):
    shown = run(*filter(None, [name]), "--help")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage: ")
    assert f"gsnn-edges {name} " in shown.stdout.partition("\n\n")[2] or not name
    assert "\\b" not in shown.stdout


def test_help_lists_the_commands_and_the_exit_codes(run):
    shown = run("--help").stdout
    listed = shown.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()[: len(COMMANDS)]] == list(COMMANDS)
    assert "130  interrupted by Ctrl-C" in shown
    assert "..." not in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_a_help_text(name):
    found = command(name)
    assert len(found.get_short_help_str(200)) <= WIDTH
    options = [param for param in found.params if isinstance(param, click.Option)]
    assert [param.name for param in options if not param.help] == []
    fragments = [param.help for param in options if param.help.startswith(("Of ", "To ", "For "))]
    assert fragments == []


def test_an_unknown_command_is_named(refused):
    assert "No such command 'frobnicate'" in refused("frobnicate")
    assert "No such command 'captur', did you mean 'capture'?" in refused("captur")


def test_the_bare_command_shows_its_help(run):
    shown = run()
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == run("--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["correlate", "--help"]])
def test_help_loads_no_heavy_library(arguments):
    script = (
        "import sys; from gsnn_edges.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: print('\\nmodules', *sys.modules)"
    )
    shown = subprocess.check_output([sys.executable, "-c", script], text=True)
    loaded = shown.rpartition("modules")[2].split()
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


SLOW = """
import time
from pathlib import Path
import torch

class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(25, 4), torch.nn.Linear(4, 4)

    def forward(self, x):
        Path("started").touch()
        time.sleep(60)
        return self.second(self.first(x))
"""


# A shell that runs the tests in the background has them ignore what a terminal sends.
AS_IN_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from gsnn_edges.cli.main import main
main()
"""


def test_an_interrupt_is_one_line_and_leaves_no_file(folder):
    (folder / "slow.py").write_text(SLOW)
    np.save(folder / "groups.npy", np.arange(4))
    there = {one.name for one in folder.iterdir()} | {"started"}
    call = [sys.executable, "-c", AS_IN_A_TERMINAL, "infer"]
    call += ["--model", "slow:Slow", "--x", "x.npy", "--y", "x.npy", "--out", "new.csv"]
    call += ["--untrained-model", "--block", "first", "--block", "second", "--groups", "groups.npy"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(call, **pipes) as process:
        while not Path("started").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, "")
    *warned, line = said.splitlines()
    assert all(one.startswith("Warning: ") for one in warned)
    assert line == "Interrupted: no result is written"
    assert {one.name for one in folder.iterdir()} - {"__pycache__"} == there
