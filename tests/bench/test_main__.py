"""``python -m gsnn_edges.bench`` hands its options on."""

import json

import pytest
from click.testing import CliRunner

from gsnn_edges.bench import Row, __main__


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def run_bench(*args, **options):
        keep = options.pop("each")
        calls.append((args, options))
        keep({"date": "today"}, [Row("ours", "N=2", 1.0)])

    monkeypatch.setattr(__main__, "run_bench", run_bench)
    return calls


def test_options_reach_the_benchmark(asked, tmp_path):
    file = tmp_path / "rows.json"
    order = ["--device", "cpu", "--full", "--scale", "0.5", "--json", str(file)]
    result = CliRunner().invoke(__main__.main, order)
    assert result.exit_code == 0, result.output
    assert asked == [((False, "cpu"), {"full": True, "scale": 0.5})]
    report = json.loads(file.read_text())
    assert (report["environment"], report["rows"][0]["what"]) == ({"date": "today"}, "ours")


def test_rows_so_far_outlive_an_error(monkeypatch, tmp_path):
    def run_bench(*args, each, **options):
        each({}, [Row("first", "", 1.0)])
        each({}, [Row("first", "", 1.0), Row("second", "", 1.0)])
        raise MemoryError("too much")

    monkeypatch.setattr(__main__, "run_bench", run_bench)
    file = tmp_path / "rows.json"
    result = CliRunner().invoke(__main__.main, ["--full", "--json", str(file)])
    assert result.exit_code == 1
    assert [row["what"] for row in json.loads(file.read_text())["rows"]] == ["first", "second"]


def test_without_a_file_nothing_is_written(asked):
    assert CliRunner().invoke(__main__.main, ["--quick"]).exit_code == 0


def test_an_error_is_a_sentence():
    result = CliRunner().invoke(__main__.main, ["--quick", "--full"])
    assert result.exit_code == 1
    assert "quick and full are two tables" in result.output
