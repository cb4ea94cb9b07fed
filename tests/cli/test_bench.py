"""gsnn-edges bench."""

import json
import sys

import pytest

from gsnn_edges.bench import Row

ROWS = [Row("what", "size", 1.0, 2.0, "reference", at_most=3.0), Row("other", "size", note="none")]


@pytest.fixture(autouse=True)
def no_run(monkeypatch):
    """Give rows without measuring: what is measured has its own tests."""

    def give(quick, device, verbose, *, full, scale, each):
        assert (device, verbose, full) == ("cpu", False, scale < 1)
        each({"processor": "abacus"}, ROWS)
        return ROWS

    monkeypatch.setattr("gsnn_edges.bench.run_bench", give)


def test_bench_shows_a_table(run):
    shown = run("bench", "--full", "--scale", 0.5)
    assert shown.exit_code == 0
    assert "reference" in shown.stdout


@pytest.mark.parametrize("to_file", [True, False])
def test_bench_gives_json(to_file, run, tmp_path):
    file = tmp_path / "bench.json"
    shown = run("bench", *(["--json", file] if to_file else ["--json"]))
    found = json.loads(file.read_text() if to_file else shown.stdout)
    assert [row["what"] for row in found["rows"]] == ["what", "other"]
    assert [row["met"] for row in found["rows"]] == [True, None]
    assert "processor" in found["environment"]


def test_a_wrong_folder_is_found_out_first(refused):
    assert "there; got 'nowhere/bench.json'" in refused("bench", "--json", "nowhere/bench.json")


def test_a_missing_peer_is_found_out_first(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "pandas", None)
    said = refused("bench", "--quick", code=1)
    assert said.endswith("pandas, which is not installed: pip install 'gsnn-edges[bench]'")
