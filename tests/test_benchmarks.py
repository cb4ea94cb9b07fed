"""Every benchmark runs, at a small size: `make bench` and the script for a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import device
from benchmarks.problems import array_of, gather_mrr, naive_spearman, observations, scored_edges

from gsnn_edges import cross_correlation, mrr

FOLDER = Path(__file__).parent / "benchmarks"


def test_every_benchmark_runs(tmp_path):
    report = tmp_path / "bench.json"
    command = [sys.executable, "-m", "pytest", "-c", FOLDER / "pytest.ini", FOLDER, "--quick"]
    # pytest-benchmark measures nothing in a process that looks like one of several test processes.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [*command, f"--benchmark-json={report}"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert run.returncode == 0, run.stdout
    found = json.loads(report.read_text())
    for row in found["rows"]:
        assert row["what"] in run.stdout
        assert min(row["milliseconds"], row["cpu_ms"]) > 0
        assert (row["ratio"] is None) == (row["over"] == "")
    assert {"fit, torch", "mrr, jax", "naive torch pattern"} <= {r["what"] for r in found["rows"]}
    assert "node" not in found["machine_info"]


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_every_case_for_a_gpu_runs(library):
    for number in range(library != "torch", len(device.CASES)):
        rows = device.rows_of(library, "cpu", number, 1e-6)
        assert rows[0]["ratio"] == 1
        assert all(row["milliseconds"] > 0 for row in rows)


def test_a_case_for_a_gpu_that_fails_or_hangs_is_a_row(tmp_path, monkeypatch):
    def call(name, library, where, number, scale, timeout):
        if number == 2:
            raise subprocess.CalledProcessError(1, name, stderr=b"Traceback\nMemoryError: no room")
        if number == 3:
            raise subprocess.TimeoutExpired(name, timeout)
        return [{"what": f"case {number}, {library}", "milliseconds": 1.0}]

    monkeypatch.setattr(device, "in_child", call)
    report = tmp_path / "gpu.json"
    device.main([str(report)], standalone_mode=False)
    rows = json.loads(report.read_text())["rows"]
    assert len(rows) == 2 * len(device.CASES) - 1
    assert rows[2] == {"what": "case 2, torch", "error": "MemoryError: no room"}
    assert rows[3]["error"] == "no end in 60 s"


def test_what_ours_is_compared_with_gives_the_same():
    a, g = (
        torch.from_numpy(x + np.linspace(0, 1, len(x), dtype="f4")[:, None] / 1e3)
        for x in observations(400, 20)
    )
    np.testing.assert_allclose(naive_spearman(a, g), cross_correlation(a, g), atol=1e-5)
    scores, queries = scored_edges(60, 300)
    gathered = gather_mrr(torch.from_numpy(scores), torch.from_numpy(queries))
    np.testing.assert_allclose(gathered, mrr(scores, queries, queries), rtol=1e-6)
    assert array_of("jax", scores).shape == scores.shape
