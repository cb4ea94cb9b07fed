"""What the pages show of the command runs, and that of docs/command-line.md prints what it says."""

import doctest
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tables import write_edges

from gsnn_edges.demo import GSNN

ROOT = Path(__file__).parents[2]
PAGE, README, OFFLOAD = ROOT / "docs/command-line.md", ROOT / "README.md", ROOT / "docs/offload.md"
STAGES = ["capture", "correlate", "evaluate"]
# A block to run, with the comment that excuses it and the text that it prints.
BLOCK = re.compile(
    r"(?:^<!-- not run: [^\n]+ -->\n(?P<excused>))?"
    r"^```(?P<kind>python|sh)\n(?P<code>.*?)^```$"
    r"(?:\n+```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


def lines_of(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("my_model", "my_net"):
        sys.modules.pop(name, None)


@pytest.fixture
def named_files(empty, problem, names):
    """The files that README.md and docs/offload.md name, of the model of README.md."""
    factory = next(code for kind, code in code_of(README) if "def model():" in code)
    (empty / "my_model.py").write_text(f"{factory}\n\nmake = model\n")
    network = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=1)
    for weights in ("state.pt", "trained.pt"):
        torch.save(network.state_dict(), empty / weights)
    for side, kind in {"x": "input", "y": "output"}.items():
        values = getattr(problem, f"{side}_test")[:60]
        np.save(empty / f"{side}.npy", values)
        frame = pd.DataFrame(values, columns=problem.node_names_dict[kind])
        frame.to_csv(empty / f"{side}.csv", index=False)
    np.save(empty / "known.npy", problem.known_edges)
    write_edges(empty / "known.csv", problem.known_edges, names)
    write_edges(empty / "held_out.csv", problem.test_edges, names)
    return empty


def code_of(page):
    """Give the blocks of a page that are not excused, with their kinds."""
    found = (block for block in BLOCK.finditer(page.read_text()) if block["excused"] is None)
    return [(block["kind"], block["code"]) for block in found]


def calls_of(code):
    """Give the calls of gsnn-edges in a block of shell."""
    lines = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
    return [arguments for program, *arguments in filter(None, lines) if program == "gsnn-edges"]


def printed(run, code):
    """Give what the commands of a block print, one after another."""
    assert len(calls_of(code)) == len(code.splitlines())
    return "".join(run(*arguments).output for arguments in calls_of(code))


@pytest.mark.usefixtures("empty")
def test_page_runs(run):
    blocks = [found for found in BLOCK.finditer(PAGE.read_text()) if found["excused"] is None]
    assert [found["kind"] for found in blocks].count("sh") >= 6
    shared = {"__name__": "__main__"}
    for found in blocks:
        if found["kind"] == "python":
            exec(compile(found["code"], str(PAGE), "exec"), shared)
            continue
        got = lines_of(printed(run, found["code"]))
        wanted = lines_of(found["output"])
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = doctest.OutputChecker().check_output(wanted, got, flags)
        assert same, f"{found['code']}prints\n{got}\nand the page says\n{wanted}"


@pytest.mark.parametrize("page", [README, OFFLOAD], ids=lambda page: page.name)
def test_the_three_stages_of_other_pages_run(page, named_files, run):
    calls = [call for kind, code in code_of(page) if kind == "sh" for call in calls_of(code)]
    assert [call[0] for call in calls] == STAGES
    for call in calls:
        shown = run(*call)
        assert shown.exit_code == 0, shown.output
        assert shown.stderr == ""
    assert "18 rankings, direction tail, " in shown.stdout
    assert (named_files / "ranked.csv").read_text().count("\n") == 19
