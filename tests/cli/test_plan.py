"""gsnn-edges plan."""

import json

import pytest

from gsnn_edges.scale import Calibration, plan

RATES = Calibration(ranked_values=1e8, rank_length=10_000, flops=1e11, copied_bytes=1e10)
CALL = ("plan", "--nodes", 3000, "--observations", 20_000, "--calibration", "rates.json")


@pytest.fixture(autouse=True)
def rates(folder):
    RATES.save(folder / "rates.json")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--memory", "24GB"], {"memory": "24GB"}),
        (
            ["--memory", "1GB", "--devices", 8, "--network", "50GB"],
            {"memory": "1GB", "devices": 8, "network": "50GB"},
        ),
        (
            ["--memory", "1GB", "--channels", 4, "--layers", 5, "--precision", "float64"],
            {"memory": "1GB", "channels": 4, "layers": 5, "precision": "float64"},
        ),
    ],
)
def test_the_plan_is_that_of_plan(options, asked, run):
    wanted = plan(3000, 20_000, calibration="rates.json", **asked)
    assert run(*CALL, *options).stdout == f"{wanted}\n"
    found = json.loads(run(*CALL, *options, "--json").stdout)
    assert found == json.loads(json.dumps(wanted.to_dict()))


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("plan", "--nodes", 3000), "Missing option '--observations'"),
        ((*CALL, "--memory", "much"), "memory must be"),
        ((*CALL, "--nodes", 0), "--nodes"),
        ((*CALL[:-1], "nowhere.json"), "nowhere.json"),
    ],
)
def test_mistakes_are_one_line(arguments, phrase, refused):
    assert phrase in refused(*arguments)
