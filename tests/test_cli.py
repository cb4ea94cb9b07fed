"""The command, as a user types it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import gsnn_edges
from gsnn_edges.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_version_is_the_packages():
    assert run("--version").output == f"gsnn-edges, version {gsnn_edges.__version__}\n"


@pytest.mark.parametrize("command", [(), ("demo",), ("bench",), ("backends",)])
def test_help_explains(command):
    shown = run(*command, "--help")
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_every_option_has_a_help_text():
    for command in main.commands.values():
        assert command.help
        for parameter in command.params:
            assert parameter.help, f"{command.name} {parameter.name}"


@pytest.mark.parametrize("backend", ["torch", "jax", "numpy"])
def test_demo_writes_its_results(backend, tmp_path):
    out = tmp_path / "demo"
    shown = run("demo", "--backend", backend, "--epochs", 1, "--out", out)
    assert shown.exit_code == 0, shown.output
    assert "untrained" in shown.output
    assert np.load(out / "W.npy").shape == (50, 50)
    assert "trained" in json.loads((out / "metrics.json").read_text())["mrr"]


def test_backends_lists_what_is_installed():
    shown = run("backends")
    assert shown.exit_code == 0
    assert all(name in shown.output for name in gsnn_edges.backends.BACKENDS)


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("demo", "--graph", "nowhere.csv"), "nowhere.csv"),
        (("demo", "--backend", "tensorflow"), "is not one of"),
        (("demo", "--epochs", "-1"), "--epochs"),
        (("demo", "--seed", "x"), "--seed"),
        (("frobnicate",), "No such command"),
    ],
)
def test_mistakes_are_explained_in_a_line(arguments, phrase):
    shown = run(*arguments)
    assert shown.exit_code != 0
    assert phrase in shown.output
    assert "Traceback" not in shown.output
