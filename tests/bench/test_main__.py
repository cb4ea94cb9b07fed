"""``python -m gsnn_edges.bench`` hands its options on."""

import json

import pytest
from click.testing import CliRunner

from gsnn_edges.bench import Row, __main__


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def run_bench(*args, **options):
        calls.append((args, options))
        return [Row("ours", "N=2", 1.0)]

    monkeypatch.setattr(__main__, "run_bench", run_bench)
    return calls


def test_options_reach_the_benchmark(asked, tmp_path):
    file = tmp_path / "rows.json"
    order = ["--device", "cpu", "--full", "--scale", "0.5", "--json", str(file)]
    result = CliRunner().invoke(__main__.main, order)
    assert result.exit_code == 0, result.output
    assert asked == [((False, "cpu"), {"full": True, "scale": 0.5})]
    assert json.loads(file.read_text())["rows"][0]["what"] == "ours"


def test_an_error_is_a_sentence():
    result = CliRunner().invoke(__main__.main, ["--quick", "--full"])
    assert result.exit_code == 1
    assert "quick and full are two tables" in result.output
