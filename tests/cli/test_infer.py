"""gsnn-edges infer: the same as FunctionEdgeInferer, over files."""

import html
import json

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from torch.nn import MSELoss

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, plots

DATA = ("--x", "data.npz:x", "--y", "data.npz:y")
CALL = ("infer", "--model", "tiny:model", "--weights", "state.safetensors", *DATA)


@pytest.fixture
def inferred(network, problem, folder):
    data = np.load(folder / "data.npz")
    inferer = FunctionEdgeInferer(network, MSELoss(), problem.known_edges)
    return lambda **options: inferer.infer(data["x"], data["y"], mode="eval", seed=0, **options)


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
    assert "--weights or --untrained-model must be given, and not both: without" in refused(*call)
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
    "no model": (("--model", None), "--model must be given, as package.module:name"),
    "both": (("--trust-pickle", "whole.pt"), "or else --trust-pickle, and not both"),
    "untrained": (
        ("--untrained-model",),
        "--weights or --untrained-model must be given, and not both",
    ),
    "arguments": (("--model-args", '{"layers": 5}'), "missing: ResBlocks"),
    "rows": (("--y", "W.npy"), "got 40 in 'data.npz:x', 50 in 'W.npy'"),
    "metrics": (("--metrics", "m.json"), "--metrics needs --edges"),
    "edges": (("--edges", "far.csv"), "--edges must hold targets in 0 .. 49"),
    "an input": (("--edges", "far.csv", "--out", "far.csv"), "is also --edges 'far.csv'"),
    "columns of y": (("--y", "three.npy"), "Using a target size (torch.Size([40, 3])) that is"),
    "figure": (("--figure", "W.gif"), "--figure must end in .png, .pdf, .svg"),
    "columns": (("--x", "columns.csv"), "(missing: "),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "columns.csv").write_text("a,b\n" + "1,high\n" * 40)
    (folder / "far.csv").write_text("source,target\n0,77\n")
    np.save("three.npy", np.ones((40, 3), np.float32))
    options, phrase = BAD[case]
    call = [*CALL]
    if options[0] in call:
        place = call.index(options[0])
        call[place : place + 2] = []
    assert phrase in refused(*call, *(option for option in options if None not in options))


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
    "model": (
        ("--model", "broken:Broken"),
        "ValueError: no luck (raised by model(x), with x: (40, 25) torch.float32, --traceback",
    ),
    "criterion": (
        ("--model", "tiny:model", "--crit", "broken:wrong"),
        "KeyError: 'y' (raised by crit(model(x), y), with prediction: (40, 25) torch.float32, y: ",
    ),
    "factory": (("--model", "broken:factory"), "KeyError: 'weights' (raised by broken:factory, "),
    "arguments": (
        ("--model", "broken:Broken", "--model-args", '{"size": "a"}'),
        "(raised by broken:Broken, --traceback shows where)",
    ),
    "exit": (("--model", "broken:leaving"), "ended the program by sys.exit(3): have it give"),
    "library": (("--model", "broken:sparse"), "No module named 'scanpy' (raised by broken:spars"),
    "imported": (("--model", "missing:model"), "'scanpy' (raised by the import of 'missing'"),
}


@pytest.mark.parametrize("case", OWN)
def test_errors_of_the_users_own_code_are_failures_and_one_line(case, folder, refused):
    (folder / "broken.py").write_text(BROKEN)
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


@pytest.mark.usefixtures("folder")
def test_several_inputs_are_several_arguments(folder, run):
    (folder / "two.py").write_text(
        "from tiny import model as made\n"
        "import torch\n"
        "class Two(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.net = made()\n"
        "    def forward(self, x, z):\n        return self.net((x + z) / 2)\n"
    )
    call = ("infer", "--model", "two:Two", "--untrained-model", "--json")
    both = run(*call, "--x", "x.npy", "--x", "data.npz:x", "--y", "y.csv")
    one = run("infer", "--model", "tiny:model", *call[3:], "--x", "x.npy", "--y", "y.csv")
    assert json.loads(both.stdout)["strongest"] == json.loads(one.stdout)["strongest"]


def tables(problem):
    """Inputs and targets as frames whose columns are the names of the model's nodes."""
    data = np.load("data.npz")
    names = {"x": problem.node_names_dict["input"], "y": problem.node_names_dict["output"]}
    return {side: pd.DataFrame(data[side], columns=names[side]) for side in "xy"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_go_to_the_nodes_of_their_names(ending, problem, run):
    write = {"csv": "to_csv", "parquet": "to_parquet"}[ending]
    call = (*CALL[:5], "--json", "--x")
    wanted = run(*call, "data.npz:x", "--y", "data.npz:y")
    for side, table in tables(problem).items():
        shuffled = table.sample(frac=1, axis=1, random_state=0)
        getattr(table, write)(f"named_{side}.{ending}", index=False)
        getattr(shuffled, write)(f"shuffled_{side}.{ending}", index=False)
    named = run(*call, f"named_x.{ending}", "--y", f"named_y.{ending}")
    assert (named.stderr, named.exit_code) == ("", 0)
    shuffled = run(*call, f"shuffled_x.{ending}", "--y", f"shuffled_y.{ending}")
    assert shuffled.stderr.count("another order than the model: they are put in the model's") == 2
    strongest = [json.loads(one.stdout)["strongest"] for one in (wanted, named, shuffled)]
    assert strongest[0] == strongest[1] == strongest[2]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda table: table.rename(columns={table.columns[0]: "other"}), "unknown: 'other'"),
        (lambda table: table.rename(columns=str.lower).add_suffix("_"), "missing: '"),
        (lambda table: table.iloc[:, 1:], "missing: '"),
        (lambda table: table.assign(s=1.0, t="a"), "(unknown: 's', 't')"),
        (lambda table: pd.concat([table, table.iloc[:, :1]], axis=1), "repeated: '"),
    ],
)
@pytest.mark.parametrize("side", "xy")
def test_columns_of_other_names_are_refused(side, change, phrase, problem, refused):
    change(tables(problem)[side]).to_csv("other.csv", index=False)
    files = {"x": "data.npz:x", "y": "data.npz:y", side: "other.csv"}
    said = refused(*CALL[:5], "--x", files["x"], "--y", files["y"])
    assert f"--{side} must have a column for each of the model's 25 nodes, by their" in said
    assert phrase in said


SAMPLES = [f"S{row}" for row in range(40)]
INDEXED = {
    "empty header": (lambda frame, name: frame.to_csv(f"{name}.csv"), "csv", ""),
    "parquet": (lambda frame, name: frame.to_parquet(f"{name}.parquet"), "parquet", "__index_leve"),
    "no node": (
        lambda frame, name: (
            frame.rename_axis("sample").reset_index().to_csv(f"{name}.csv", index=False)
        ),
        "csv",
        "sample",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("case", INDEXED)
def test_names_of_samples_are_no_inputs(case, problem, run, refused):
    write, ending, column = INDEXED[case]
    frames = {side: frame.set_axis(SAMPLES) for side, frame in tables(problem).items()}
    for side, frame in frames.items():
        write(frame, side)
    call = (*CALL[:5], "--json", "--x", f"x.{ending}", "--y")
    shown = run(*call, f"y.{ending}")
    assert shown.stderr.count(f"column '{column}") == 2
    assert shown.stderr.count("is taken as the names of samples: name another by --index") == 2
    wanted = run(*CALL[:5], "--json", "--x", "data.npz:x", "--y", "data.npz:y")
    assert json.loads(shown.stdout)["strongest"] == json.loads(wanted.stdout)["strongest"]
    write(frames["y"].sample(frac=1, random_state=0), "other")
    said = refused(*call, f"other.{ending}")
    assert "--x and --y must have the same samples, in the same order" in said


@pytest.mark.usefixtures("folder")
def test_columns_go_by_position_where_one_side_has_names(problem, run, refused):
    for side, frame in tables(problem).items():
        frame.to_csv(f"{side}.csv", index=False, header=False)
    wanted = run(*CALL[:5], "--json", "--x", "data.npz:x", "--y", "data.npz:y")
    call = (*CALL[:5], "--json", "--x", "x.csv", "--y", "y.csv")
    shown = run(*call, "--no-header")
    assert shown.stderr.count("columns are matched to the model by position") == 1
    assert json.loads(shown.stdout)["strongest"] == json.loads(wanted.stdout)["strongest"]
    assert "add --header or --no-header" in refused(*call)
    assert "--x must have a column for each of the model's 25 nodes" in refused(*call, "--header")
    frame = tables(problem)["x"].assign(s=1.0, t=[f"S{row}" for row in range(40)])
    frame.to_csv("x.csv", index=False)
    tables(problem)["y"].to_csv("y.csv", index=False)
    assert "(unknown: 's')" in refused(*call, "--index", "t")


@pytest.mark.usefixtures("folder")
def test_a_heatmap_shows_w_with_known_and_held_out_edges(drawn, run, problem):
    call = (*CALL, "--edges", "held_out.csv", "--figure", "W.png", "--evidence", "e.npz")
    assert "figure: W.png\n" in run(*call).stdout
    evidence = EdgeEvidence.load("e.npz")
    order = plots.cluster_order(evidence)
    image = drawn[0].images[0].get_array()
    off = ~np.eye(50, dtype=bool)
    assert_array_equal(image.data[off], evidence.W[np.ix_(order, order)][off].astype(float))
    known, held_out = drawn[0].lines
    assert len(known.get_xdata()) == problem.known_edges.shape[1]
    targets, sources = held_out.get_data()
    assert_array_equal(order[np.stack([sources, targets])], problem.test_edges)
    assert matplotlib.image.imread("W.png").shape[1] == 3.4 * 300


@pytest.mark.usefixtures("folder")
def test_a_network_shows_the_strongest_new_edges(drawn, run):
    assert run(*CALL, "--figure", "net.svg", "--picture", "network", "-q").exit_code == 0
    new = [one for one in drawn[0].patches if one.get_gid().startswith("new")]
    assert len(new) == 20
    with open("net.svg") as file:
        assert html.escape(new[0].get_gid()) in file.read()
