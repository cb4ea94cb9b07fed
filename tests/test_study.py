"""The scripts behind docs/study.md: they run, and their tables say what the records say."""

import json

import pytest
import study
from choice import main as run_choice
from click.testing import CliRunner
from directions import main as run_directions
from leads import LEADS
from numpy.testing import assert_allclose
from scipy.stats import ttest_1samp
from study_tables import cell_of


def test_cells_hold_the_interval_of_student():
    values = [0.31, 0.42, 0.37, 0.45, 0.30]
    oracle = ttest_1samp(values, 0.0).confidence_interval(0.95)
    mean, low, high = cell_of(values).translate(str.maketrans("[],", "   ")).split()
    assert_allclose([float(mean), float(low), float(high)], [0.37, *oracle], atol=6e-4)


@pytest.mark.parametrize(("values", "cell"), [([], "-"), ([0.5], "0.500")])
def test_cells_without_an_interval(values, cell):
    assert cell_of(values) == cell


def test_study_runs_and_goes_on_where_it_was(tmp_path):
    records = tmp_path / "study.jsonl"
    options = ["--seeds", "1", "--epochs", "1", "--graph", "tutorial", "--observed", "own"]
    options += ["--leads", "--records", str(records)]
    first = CliRunner().invoke(study.main, options, catch_exceptions=False)
    made = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(r["norm"], r["shared"]) for r in made] == study.MODELS
    for name in LEADS:
        cell = f"{made[0]['metrics'][name]['mrr']:.3f}"
        assert f"| {name} | {cell} |" in first.stdout
    trained = made[1]["metrics"]["trained, channels, pooled, pre-norm"]["mrr"]
    (line,) = [
        line
        for line in first.stdout.split("| trained - untrained |")[0].splitlines()
        if line.startswith("| channels, pooled, pre-norm |")
    ]
    assert line.split(" | ")[2] == f"{trained:.3f}"
    again = CliRunner().invoke(study.main, options, catch_exceptions=False)
    assert "1 of 4" in first.stderr
    assert again.stderr == ""
    assert again.stdout == first.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [run_choice, run_directions])
def test_side_tables_run(command):
    run = CliRunner().invoke(command, ["--seeds", "1"], catch_exceptions=False)
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) > 3
    assert "nan" not in run.stdout
