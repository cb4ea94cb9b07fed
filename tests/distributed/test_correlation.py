"""Processes on this machine that make W together, also when one of them is killed."""

import shutil
import time

import numpy as np
import oracles
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.options import CorrelationOptions
from gsnn_edges.scale import correlate_distributed
from gsnn_edges.scale import multihost as correlation
from gsnn_edges.scoring import Scorer
from gsnn_edges.store import open_matrix

# Of a loaded machine; what is asked of the survivors stands apart.
PATIENCE = 120


def ended(run):
    """Exit status, and what was said."""
    said, _ = run.communicate(timeout=PATIENCE)
    return run.returncode, said.strip()


def finished_rows(folder):
    return sum(len(path.read_text().splitlines()) for path in folder.glob("rows-*.txt"))


def test_two_processes_of_a_cluster_give_the_channel_score_of_one(make_store, crew, tmp_path):
    columns = np.random.default_rng(1).integers(0, 11, 37)
    columns[0] = 11
    store, a, g = make_store(score="channels", nodes=12, column_nodes=columns)
    out = tmp_path / "W.zarr"
    runs = crew(2, slurm=True, store=store, out=out, row_chunk=4)
    assert [ended(run) for run in runs] == [(0, "")] * 2
    scorer = Scorer("channels", "mean", 2, 12, columns, CorrelationOptions(backend="numpy"))
    (expected,) = scorer.matrices(a.reshape(-1, 37), g.reshape(-1, 37))
    assert_allclose(open_matrix(out).to_numpy(), expected, atol=2e-6, rtol=0)
    assert not out.with_name("W.zarr.journal").exists()


@pytest.mark.parametrize("lost", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_survivors_of_a_lost_process_end_and_a_second_run_completes(
    make_store, crew, tmp_path, lost
):
    store, a, g = make_store(columns=360)
    call = {"store": store, "out": tmp_path / "W.zarr", "row_chunk": 6}
    folder = tmp_path / "W.zarr.journal"
    runs = crew(3, **call)
    deadline = time.monotonic() + PATIENCE
    while finished_rows(folder) < 12 and time.monotonic() < deadline:
        time.sleep(0.02)
    runs.pop(lost).kill()
    killed = time.monotonic()
    for status, said in map(ended, runs):
        assert status == 3
        assert said.startswith(f"process {lost} of 3 is gone: no sign of life for 15 s; finished ")
        assert said.endswith(f" of 360 are kept in {folder}; run the same command again to go on")
    assert time.monotonic() - killed < 30
    expected = oracles.correlation(a.reshape(-1, 360), g.reshape(-1, 360))
    kept = np.concatenate([np.loadtxt(path, int, ndmin=2) for path in folder.glob("rows-*.txt")])
    partial = zarr.open_array(str(folder / "W.zarr"))[:]
    assert_allclose(partial[kept[:, 0]], expected[kept[:, 0]], atol=2e-6, rtol=0)
    assert len(kept) < 360
    assert [ended(run) for run in crew(3, **call)] == [(0, "")] * 3
    assert_allclose(open_matrix(call["out"]).to_numpy(), expected, atol=2e-6, rtol=0)


def test_processes_that_ask_for_different_things_are_told(make_store, crew, tmp_path):
    store, _, _ = make_store()
    call = {"store": store, "out": tmp_path / "W.zarr"}
    runs = crew(2, **call, each=[{}, {"method": "pearson"}])
    for status, said in map(ended, runs):
        assert status == 3
        assert "from process 0 to process 1 method was 'spearman' and is 'pearson'" in said
    assert not (tmp_path / "W.zarr").exists()


def test_a_process_that_cannot_begin_does_not_keep_the_others_waiting(make_store, crew, tmp_path):
    store, _, _ = make_store()
    call = {"store": store, "out": tmp_path / "W.zarr"}
    (waiting,) = crew(2, **call, only=[0])
    folder = tmp_path / "W.zarr.journal"
    deadline = time.monotonic() + PATIENCE
    while not (folder / "process-0.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    (failing,) = crew(2, **call | {"store": tmp_path / "nothing.zarr"}, only=[1])
    assert "there is none at" in ended(failing)[1]
    status, said = ended(waiting)
    assert (status, said.partition(":")[0]) == (3, "process 1 of 2 is gone")
    assert "there is none at" in said


def test_observations_that_change_between_runs_are_found(make_store, tmp_path):
    store, _, _ = make_store()
    out = tmp_path / "W.zarr"
    correlate_distributed(store, out, processes=1)
    shutil.rmtree(store)
    make_store(seed=1)
    with pytest.raises(ValueError, match=r"observations was '.*' and is"):
        correlate_distributed(store, out, processes=1)


def test_without_jax_the_caller_says_what_to_install(make_store, tmp_path, monkeypatch):
    store, _, _ = make_store()
    monkeypatch.setattr(correlation, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install 'gsnn-edges\\[jax\\]'"):
        correlate_distributed(store, tmp_path / "W.zarr", processes=1)


def test_a_cluster_that_is_none_is_said(make_store, tmp_path):
    store, _, _ = make_store()
    with pytest.raises(ValueError, match="must be given where JAX finds no cluster"):
        correlate_distributed(store, tmp_path / "W.zarr")


def test_a_store_of_float64_is_correlated_in_float64(make_store, tmp_path):
    store, a, g = make_store(dtype="float64")
    found = correlate_distributed(store, tmp_path / "W.zarr", processes=1, row_chunk=5)
    expected = oracles.correlation(a.reshape(-1, 37), g.reshape(-1, 37))
    assert_allclose(found.to_numpy(), expected, atol=2e-6, rtol=0)


def test_one_process_needs_nobody_and_finds_what_is_finished(make_store, tmp_path):
    store, a, g = make_store()
    out = tmp_path / "W.zarr"
    found = correlate_distributed(store, out, processes=1, layers=1, ties="ordinal")
    expected = oracles.correlation(a[1], g[1], ties="ordinal")
    assert_allclose(found.to_numpy(), expected, atol=2e-6, rtol=0)
    before = (out / "zarr.json").stat().st_mtime_ns
    again = correlate_distributed(store, out, processes=1, layers=1, ties="ordinal")
    assert_array_equal(again.to_numpy(), found.to_numpy())
    assert (out / "zarr.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="method was 'spearman' and is 'pearson'"):
        correlate_distributed(store, out, processes=1, layers=1, ties="ordinal", method="pearson")


@pytest.mark.parametrize(
    ("changed", "error", "phrase"),
    [
        ({"out": "W.npy"}, ValueError, "out must end with .zarr"),
        ({"processes": 2}, ValueError, "coordinator, processes and process go together"),
        ({"processes": 2, "process": 2}, ValueError, r"process must lie in 0 \.\. 1"),
        ({"coordinator": "node", "process": 0}, ValueError, "coordinator must be 'host:port'"),
        ({"coordinator": "node:70000", "process": 0}, ValueError, "a port from 1 to 65535"),
        ({"coordinator": ":80", "process": 0}, ValueError, "coordinator must be 'host:port'"),
        ({"out": "no/folder/W.zarr"}, FileNotFoundError, "make 'no/folder' first"),
        ({"out": 3}, TypeError, "out must be a text or a path; got int"),
        ({"n_components": 2}, ValueError, "n_components=2 needs a store of score='channels'"),
        ({"method": "kendall"}, ValueError, "method must be one of"),
        ({"ties": "first"}, ValueError, "ties must be one of"),
        ({"layers": 7}, ValueError, "layers must be"),
        ({"row_chunk": 0}, ValueError, "row_chunk must be at least 1"),
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds"),
        ({"start_timeout": "long"}, TypeError, "start_timeout must be a number of seconds"),
        ({"resume": "yes"}, TypeError, "resume must be True or False"),
        ({"verbose": 1}, TypeError, "verbose must be True or False"),
        ({"store": "missing.zarr"}, FileNotFoundError, "missing.zarr"),
    ],
)
def test_wrong_calls(make_store, tmp_path, changed, error, phrase):
    call = {"store": make_store()[0], "out": tmp_path / "W.zarr", "processes": 1}
    with pytest.raises(error, match=phrase):
        correlate_distributed(**call | changed)
    assert not (tmp_path / "W.zarr.journal").exists()


def test_something_else_is_not_written_over(make_store, tmp_path):
    (tmp_path / "W.zarr").mkdir()
    (tmp_path / "W.zarr" / "notes.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="holds something else: give another path"):
            correlate_distributed(
                make_store()[0] if resume else tmp_path / "seen.zarr",
                tmp_path / "W.zarr",
                processes=1,
                resume=resume,
            )
    assert (tmp_path / "W.zarr" / "notes.txt").read_text() == "mine"
