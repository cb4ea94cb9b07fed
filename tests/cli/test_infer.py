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
        (["--score", "channels", "--untrained", "1"], {"score": "channels", "untrained": 1}),
        (["--layers", "last", "--method", "pearson"], {"layers": "last", "method": "pearson"}),
        (["--layers", "0", "--n-components", "1"], {"layers": 0, "n_components": 1}),
    ],
)
def test_options_are_those_of_the_inferer(options, asked, inferred, run):
    assert run(*CALL, *options, "--evidence", "e.npz", "-q").exit_code == 0
    np.testing.assert_allclose(EdgeEvidence.load("e.npz").W, inferred(**asked).W, atol=2e-6)


@pytest.mark.usefixtures("folder")
def test_json_is_the_only_thing_on_standard_output(run):
    found = json.loads(run(*CALL, "--json").stdout)
    assert (found["nodes"], found["known"], found["samples"]) == (50, 37, 40)
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


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("stage", [("infer",), ("capture", "--out", "seen.npz")])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_untrained_model_is_taken_on_purpose_only(stage, dry, run, refused):
    call = (*stage, *dry, "--model", "tiny:model", *DATA, "--json")
    assert "Error: --weights must be given: without them the model is what its" in refused(*call)
    shown = run(*call, "--untrained-model")
    assert (shown.exit_code, json.loads(shown.stdout)["untrained_model"]) == (0, True)
    assert shown.stderr.count("Warning: the model has no --weights: W is that of what its") == 1
    trained = run(*call, "--weights", "state.pt")
    assert (trained.stderr, json.loads(trained.stdout)["untrained_model"]) == ("", False)


def test_dry_run_writes_nothing(run, folder):
    shown = run(*CALL, "--out", "top.csv", "--dry-run")
    assert shown.exit_code == 0
    assert "would record 80 observations of 100 columns and correlate 50 nodes" in shown.stdout
    assert not (folder / "top.csv").exists()


BAD = {
    "pickle": (("--weights", "whole.pt"), "holds other objects, as a pickled module does"),
    "weights": (("--weights", "state.p"), "--weights must be a file that is there"),
    "factory": (("--model", "tiny:modell"), "did you mean 'model'"),
    "arguments": (("--model-args", '{"layers": 5}'), "missing: ResBlocks"),
    "rows": (("--y", "W.npy"), "got 40 in 'data.npz:x', 50 in 'W.npy'"),
    "criterion": (("--crit", "torch.nn:Loss"), "--crit must name what there is"),
    "known": (("--known", "W.npy"), "--known must have shape"),
    "metrics": (("--metrics", "m.json"), "--metrics needs --edges"),
    "known outside": (("--known", "far.csv"), "--known must hold targets in 0 .. 49"),
    "edges": (("--edges", "far.csv"), "--edges must hold targets in 0 .. 49"),
    "path": (("--model", "./tiny.py:model"), "did you mean 'tiny:model'?"),
    "no module": (("--model", "tony:model"), "--model must name a module that can be imported"),
    "columns of y": (("--y", "few.npy"), "--y has 3 columns, the model gives 25"),
    "ending": (("--evidence", "e.csv"), "--evidence must end in .npz"),
    "layers": (("--layers", "9"), "layer pair in 0 .. 1; got 9"),
    "columns": (("--x", "columns.csv"), "has 'high' in line 2, column 'b': drop that"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "columns.csv").write_text("a,b\n1,high\n")
    (folder / "far.csv").write_text("source,target\n0,77\n")
    np.save("few.npy", np.ones((40, 3), np.float32))
    options, phrase = BAD[case]
    call = [*CALL]
    if options[0] in call:
        place = call.index(options[0])
        call[place : place + 2] = []
    assert phrase in refused(*call, *options)


BROKEN = """
import sys
import torch

class Broken(torch.nn.Linear):
    def __init__(self, size=25):
        super().__init__(size, 2)

    def forward(self, x):
        raise ValueError('no\\nluck')

def wrong(prediction, y):
    raise KeyError("y")

def factory():
    return {}["weights"]

def leaving():
    sys.exit(3)

def sparse():
    import scanpy
"""
OWN = {
    "model": (("--model", "broken:Broken"), "the model raised ValueError: no luck"),
    "criterion": (
        ("--model", "tiny:model", "--crit", "broken:wrong"),
        "the criterion raised KeyError: 'y'",
    ),
    "factory": (
        ("--model", "broken:factory"),
        "the factory 'broken:factory' raised KeyError: 'weights'",
    ),
    "arguments": (
        ("--model", "broken:Broken", "--model-args", '{"size": "a"}'),
        "raised TypeError",
    ),
    "exit": (("--model", "broken:leaving"), "ended the program by sys.exit(3): have it give"),
    "library": (
        ("--model", "broken:sparse"),
        "the factory 'broken:sparse' needs 'scanpy', which is not installed",
    ),
    "import": (("--model", "syntax:model"), "the module 'syntax' raised SyntaxError: "),
    "imported": (("--model", "missing:model"), "the module 'missing' needs 'scanpy', which is not"),
}


@pytest.mark.parametrize("case", OWN)
def test_errors_of_the_users_own_code_are_failures_and_one_line(case, folder, refused):
    (folder / "broken.py").write_text(BROKEN)
    (folder / "syntax.py").write_text("def model(:\n")
    (folder / "missing.py").write_text("import scanpy\n")
    np.save("groups.npy", np.arange(2))
    options, phrase = OWN[case]
    if "broken:Broken" in options:
        options = (*options, "--groups", "groups.npy", "--block", "", "--block", "")
    before = set(folder.iterdir())
    assert phrase in refused("infer", *DATA, "--untrained-model", *options, code=1)
    assert set(folder.iterdir()) - {folder / "__pycache__"} == before


@pytest.mark.usefixtures("folder")
def test_arguments_that_a_factory_does_not_take_are_wrong_input(refused):
    options = ("--untrained-model", "--model-args", '{"depth": 3}')
    said = refused("infer", "--model", "tiny:model", *DATA, *options)
    assert "unexpected keyword argument 'depth'" in said


def test_what_a_factory_prints_is_not_on_standard_output(folder, run):
    (folder / "talking.py").write_text(
        "from tiny import model as made\ndef model():\n    print('hello')\n    return made()\n"
    )
    shown = run("infer", "--model", "talking:model", "--untrained-model", *DATA, "--json")
    assert json.loads(shown.stdout)["nodes"] == 50
    assert "hello" in shown.stderr


@pytest.mark.usefixtures("folder")
def test_known_edges_are_those_of_the_model(run):
    found = json.loads(run(*CALL, "--json").stdout)
    told = json.loads(run(*CALL, "--known", "known.csv", "--json").stdout)
    assert found["known"] == told["known"] == 37
    assert found["strongest"] == told["strongest"]


def test_without_known_edges_nothing_is_called_new(folder, run):
    (folder / "bare.py").write_text(
        "from tiny import model as made\ndef model():\n"
        "    own = made()\n    del own.edge_index_dict\n    return own\n"
    )
    shown = run("infer", "--model", "bare:model", "--untrained-model", *DATA)
    assert shown.stderr.count("Warning: no known edges are given, and the model keeps none") == 1
    assert shown.stdout.startswith("10 strongest pairs (no known edges given) among 50 nodes\n")
    assert "score: channels, as too few known edges are given to choose" in shown.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--score", "magnitude"), "score: magnitude\n"),
        ((), "score: channels, chosen by the known edges (MRR 0."),
    ],
)
def test_it_is_said_which_score_was_taken(options, said, run):
    shown = run(*CALL, *options).stdout
    assert shown.startswith("10 strongest new edges among 50 nodes\n")
    assert said in shown


@pytest.mark.usefixtures("folder")
def test_progress_is_shown_over_batches(run):
    shown = run(*CALL, "--batch-size", 10, "--score", "magnitude", "-v")
    assert shown.stderr.startswith("inferring from 40 samples ...\n")
    assert "passes" in shown.stderr
    assert run(*CALL, "--batch-size", 10).stderr == ""
