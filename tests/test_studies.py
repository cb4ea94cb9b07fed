"""The scripts behind docs/results.md run, and their csv files say what the runs say."""

import csv
import json

import calibration
import choice
import components
import hidden
import masked
import pytest
import results
import study
from click.testing import CliRunner
from leads import LEADS
from numpy.testing import assert_allclose
from provenance import FOLDER
from scipy.stats import ttest_1samp
from study_tables import interval


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(script, path, *options):
    """Run a script at a small size; its rows must have the columns of those in the repository."""
    command = [*map(str, options), "--csv", str(path)]
    made = CliRunner().invoke(script.main, command, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    kept = rows_of(FOLDER / f"{script.__name__}.csv")
    assert [*rows_of(path)[0]] == [*kept[0]]
    return made


def test_intervals_are_those_of_student():
    values = [0.31, 0.42, 0.37, 0.45, 0.30]
    oracle = ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = [float(number) for number in interval(values).values()]
    assert_allclose(found, [0.37, *oracle], atol=6e-4)


@pytest.mark.parametrize(("values", "mean"), [([], ""), ([0.5], "0.500")])
def test_means_without_an_interval(values, mean):
    assert interval(values) == {"mean": mean, "low": "", "high": ""}


@pytest.mark.slow
def test_study_runs_and_goes_on_where_it_was(tmp_path):
    records, file = tmp_path / "study.jsonl", tmp_path / "study.csv"
    options = ["--seeds", 1, "--epochs", 1, "--graph", "tutorial", "--observed", "own"]
    options += ["--leads", "--records", records]
    first = run(study, file, *options)
    made = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(r["norm"], r["shared"]) for r in made] == study.MODELS
    found = {(r["table"], r["name"], r["norm"], r["shared"]): r["mean"] for r in rows_of(file)}
    for name in LEADS:
        mean = made[0]["metrics"][name]["mrr"]
        assert found["lead, trained, pre-norm", name, "none", "False"] == f"{mean:.3f}"
    mean = made[1]["metrics"]["trained, channels, pooled, pre-norm"]["mrr"]
    assert found["trained", "channels, pooled, pre-norm", "none", "True"] == f"{mean:.3f}"
    before = file.read_text()
    again = run(study, file, *options)
    assert "1 of 4" in first.stderr
    assert again.stderr == ""
    assert file.read_text() == before


@pytest.mark.slow
def test_results_run(tmp_path):
    run(results, tmp_path / "results.csv", "--tutorial", 1, "--dream4", 0)
    kept = rows_of(FOLDER / "results.csv")[: len(results.MATRICES)]
    for row, before in zip(rows_of(tmp_path / "results.csv"), kept, strict=True):
        assert {**row, "validation": "", "test": ""} == {**before, "validation": "", "test": ""}


@pytest.mark.slow
@pytest.mark.parametrize("script", [choice, components, hidden, masked])
def test_side_studies_run(script, tmp_path):
    epochs = [] if script in (hidden, masked) else ["--epochs", 1]
    run(script, tmp_path / "side.csv", "--seeds", 1, *epochs)


@pytest.mark.slow
def test_calibration_runs(tmp_path):
    run(calibration, tmp_path / "calibration.csv", "--sets", 2)
