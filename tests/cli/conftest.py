"""The command as a user types it, in a folder with the files of a tiny GSNN."""

import shutil
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from tables import write_edges

from gsnn_edges import plots
from gsnn_edges.cli.main import main
from gsnn_edges.demo import GSNN, tutorial

FACTORY = """
from gsnn_edges.demo import GSNN, tutorial

problem = tutorial(seed=0)

def model(layers=3):
    edges, names = problem.edge_index_dict, problem.node_names_dict
    return GSNN(edges, names, channels=2, layers=layers, seed=0)
"""
ROWS = 40


@pytest.fixture(scope="session")
def problem():
    return tutorial(seed=0)


@pytest.fixture(scope="session")
def network(problem):
    """The model of tiny.py, with weights of its own."""
    return GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3, seed=5)


@pytest.fixture(scope="session")
def names(problem):
    return problem.node_names_dict["function"]


@pytest.fixture(scope="session")
def files(tmp_path_factory, problem, network, names):
    folder = tmp_path_factory.mktemp("files")
    (folder / "tiny.py").write_text(FACTORY)
    save_file(network.state_dict(), folder / "state.safetensors")
    torch.save(network.state_dict(), folder / "state.pt")
    torch.save(network, folder / "whole.pt")
    x, y = problem.x_test[:ROWS], problem.y_test[:ROWS]
    np.save(folder / "x.npy", x)
    np.savez(folder / "data.npz", x=x, y=y)
    outputs = ",".join(problem.node_names_dict["output"])
    np.savetxt(folder / "y.csv", y, "%.9g", delimiter=",", header=outputs, comments="")
    write_edges(folder / "held_out.csv", problem.test_edges, names)
    write_edges(folder / "known.csv", problem.known_edges, names)
    (folder / "names.txt").write_text("\n".join(names))
    np.save(folder / "W.npy", np.random.default_rng(0).random((50, 50), np.float32))
    return folder


@pytest.fixture
def folder(files, tmp_path, monkeypatch):
    """A copy of the files, which is the current folder."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("tiny", None)


@pytest.fixture
def run():
    """Call the command: run("evaluate", "W.npy", ...) gives exit code, standard output, error."""

    def call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def refused(run, folder):
    """A call that must fail: one line on standard error, and no new file."""

    def call(*arguments, code=2):
        before = sorted(folder.rglob("*"))
        shown = run(*arguments)
        assert shown.exit_code == code, shown.output
        assert shown.stdout == ""
        lines = shown.stderr.splitlines()
        assert len([line for line in lines if not line.startswith("Warning: ")]) == 1, lines
        assert lines[-1].startswith("Error: ")
        after = [one for one in sorted(folder.rglob("*")) if "__pycache__" not in one.parts]
        assert [one for one in after if one not in before] == []
        return lines[-1]

    return call


@pytest.fixture
def drawn(monkeypatch):
    """The axes that are saved, while they are saved all the same."""
    seen, save = [], plots.save

    def keep(ax, path):
        seen.append(ax)
        return save(ax, path)

    monkeypatch.setattr(plots, "save", keep)
    return seen
