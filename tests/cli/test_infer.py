"""gsnn-edges infer: the same as FunctionEdgeInferer, over files."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from torch.nn import MSELoss

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer

DATA = ("--x", "data.npz:x", "--y", "data.npz:y")
CALL = ("infer", "--model", "tiny:model", "--weights", "state.safetensors", *DATA)


@pytest.fixture
def inferred(network, problem, folder):
    data = np.load(folder / "data.npz")
    inferer = FunctionEdgeInferer(network, MSELoss(), problem.known_edges)
    return lambda **options: inferer.infer(data["x"], data["y"], mode="eval", seed=0, **options)


def test_files_hold_what_the_inferer_finds(inferred, run, problem, names):
    shown = run(
        *CALL, "--known", "known.csv", "--edges", "held_out.csv", "--out", "top.csv",
        "--evidence", "e.npz", "--metrics", "m.json", "--top", 20,
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    wanted = inferred()
    found = EdgeEvidence.load("e.npz")
    assert_array_equal(found.W, wanted.W)
    assert (found.node_names, found.counts) == (names, wanted.counts)
    edges = wanted.top(20)
    table = pd.read_csv("top.csv")
    assert list(table["source"]) == [edge.source_name for edge in edges]
    assert list(table["target"]) == [edge.target_name for edge in edges]
    np.testing.assert_array_equal(table["score"], [edge.score for edge in edges])
    with open("m.json") as file:
        assert json.load(file)["micro"]["mrr"] == wanted.evaluate(problem.test_edges, seed=0).mrr


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--score", "magnitude", "--backend", "numpy"], {"score": "magnitude"}),
        (["--score", "channels"], {"score": "channels"}),
        (["--layers", "last", "--method", "pearson"], {"layers": "last", "method": "pearson"}),
        (["--layers", "0", "--directions", "1"], {"layers": 0, "directions": 1}),
    ],
)
def test_options_are_those_of_the_inferer(options, asked, inferred, run):
    assert run(*CALL, *options, "--evidence", "e.npz", "-q").exit_code == 0
    np.testing.assert_allclose(EdgeEvidence.load("e.npz").W, inferred(**asked).W, atol=2e-6)


@pytest.mark.usefixtures("folder")
def test_json_is_the_only_thing_on_standard_output(run):
    found = json.loads(run(*CALL, "--json").stdout)
    assert (found["nodes"], found["known"], found["samples"]) == (50, 0, 40)
    assert [edge["rank"] for edge in found["strongest"]] == list(range(1, 11))
    both = json.loads(run(*CALL, "--edges", "held_out.csv", "--json").stdout)
    assert both["strongest"] == found["strongest"]
    assert both["micro"]["mrr"] > 0


@pytest.mark.usefixtures("folder")
def test_a_pickled_model_is_taken_with_a_warning(run):
    shown = run("infer", "--trust-pickle", "whole.pt", *DATA, "--json")
    assert shown.exit_code == 0
    assert shown.stderr.startswith("Warning: 'whole.pt' is unpickled, which runs whatever code")
    wanted = json.loads(run(*CALL, "--json").stdout)["strongest"]
    assert json.loads(shown.stdout)["strongest"] == wanted


def test_dry_run_writes_nothing(run, folder):
    shown = run(*CALL, "--out", "top.csv", "--dry-run")
    assert shown.exit_code == 0
    assert "would record 80 observations of 100 columns and correlate 50 nodes" in shown.stdout
    assert not (folder / "top.csv").exists()


BAD = {
    "pickle": (("--weights", "whole.pt"), "holds other objects, as a pickled module does"),
    "weights": (("--weights", "state.p"), "weights must be a file that is there"),
    "factory": (("--model", "tiny:modell"), "did you mean 'model'"),
    "arguments": (("--model-args", '{"layers": 5}'), "missing: ResBlocks"),
    "rows": (("--y", "W.npy"), "got 40 in 'data.npz:x', 50 in 'W.npy'"),
    "criterion": (("--crit", "torch.nn:Loss"), "crit must name what there is"),
    "known": (("--known", "W.npy"), "--known must have shape"),
    "metrics": (("--metrics", "m.json"), "--metrics needs --edges"),
    "ending": (("--evidence", "e.csv"), "--evidence must end in .npz"),
    "layers": (("--layers", "9"), "layer pair in 0 .. 1; got 9"),
    "columns": (("--x", "columns.csv"), "must be a whole .csv file"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "columns.csv").write_text("a,b\n1,high\n")
    options, phrase = BAD[case]
    call = [*CALL]
    if options[0] in call:
        place = call.index(options[0])
        call[place : place + 2] = []
    assert phrase in refused(*call, *options)


def test_an_error_of_the_model_is_one_line(folder, refused):
    (folder / "broken.py").write_text(
        "import torch\nclass Broken(torch.nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(25, 2)\n"
        "    def forward(self, x):\n        raise RuntimeError('no\\nluck')\n"
    )
    np.save("groups.npy", np.arange(2))
    call = ["infer", "--model", "broken:Broken", *DATA, "--groups", "groups.npy"]
    said = refused(*call, "--block", "", "--block", "", code=1)
    assert said == "Error: RuntimeError: no luck (--traceback shows where)"
