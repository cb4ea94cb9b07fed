"""Observations on disk are those in memory, also when a process was killed on the way."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import recorder
import torch
from gsnn_models import TinyGSNN, data
from model_state import assert_unchanged
from numpy.testing import assert_array_equal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges.observations import capture, capture_channels, capture_to_store, to_disk
from gsnn_edges.store.folders import unit_file

MSE = nn.MSELoss()
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
pytestmark = pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work")


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    """Units of two batches."""
    monkeypatch.setattr(to_disk, "usual_unit", lambda *sizes: 8)


def loader(rows=25, **options):
    return DataLoader(TensorDataset(*data(rows)), **({"batch_size": 4} | options))


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("from_loader", [False, True])
def test_magnitudes_are_those_of_capture(tmp_path, norm, from_loader):
    model, (x, y) = TinyGSNN(EVEN, norm=norm), data(25)
    given = (loader(),) if from_loader else (x, y)
    how = {} if from_loader else {"batch_size": 4}
    a, g = capture(model, MSE, x, y, batch_size=4, norm="l2", agg="mean", mode="eval")
    with assert_unchanged(model):
        store = capture_to_store(
            tmp_path / "seen.zarr", model, MSE, *given, norm="l2", agg="mean", mode="eval", **how
        )
    assert (store.pairs, store.samples, store.nodes, store.unit) == (2, 25, 4, 8)
    assert_array_equal(store.read("a"), a.numpy())
    assert_array_equal(store.read("g"), g.numpy())


def test_inputs_of_more_digits_than_the_model_make_no_wider_store(tmp_path):
    model, (x, y) = TinyGSNN(EVEN), data(25)
    wide = capture_to_store(tmp_path / "wide.zarr", model, MSE, x.double(), y.double())
    plain = capture_to_store(tmp_path / "plain.zarr", model, MSE, x, y)
    assert wide.read("a").dtype == plain.read("a").dtype == "float32"
    assert_array_equal(wide.read("g"), plain.read("g"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_channels_are_those_of_capture_channels(tmp_path, dtype):
    model, (x, y) = TinyGSNN(EVEN).to(dtype), data(25, dtype=dtype)
    store = capture_to_store(
        tmp_path / "seen.zarr", model, MSE, x, y, score="channels", batch_size=4, use_prenorm=False
    )
    seen = capture_channels(model, MSE, x, y, batch_size=4, use_prenorm=False)
    assert_array_equal(store.read("a"), seen.a.numpy())
    assert_array_equal(store.read("g"), seen.g.numpy())
    assert_array_equal(store.column_nodes, seen.nodes.numpy())
    assert store.dtype == seen.a.numpy().dtype


def test_arguments_with_a_row_for_each_sample_are_cut(tmp_path):
    class Shifted(TinyGSNN):
        def forward(self, x, shift):
            return super().forward(x + shift)

    model, (x, y) = Shifted(EVEN), data(25)
    how = {"batch_size": 4, "forward_kwargs": {"shift": torch.arange(25.0)[:, None]}}
    store = capture_to_store(tmp_path / "seen.zarr", model, MSE, x, y, **how)
    assert_array_equal(store.read("a"), capture(model, MSE, x, y, **how)[0].numpy())


def test_masks_follow_the_seed(tmp_path):
    model, (x, y) = TinyGSNN(EVEN, dropout=0.5), data(25)
    first, again, other = (
        capture_to_store(
            tmp_path / f"{k}.zarr", model, MSE, x, y, seed=seed, use_prenorm=False
        ).read("a")
        for k, seed in enumerate([1, 1, 2])
    )
    assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("rows", "batch_size"), [(9, 7), (8, 8), (7, 10), (3, 2)])
def test_one_unit_may_end_within_a_batch(tmp_path, rows, batch_size):
    model, (x, y) = TinyGSNN(EVEN), data(rows)
    store = capture_to_store(tmp_path / "seen.zarr", model, MSE, x, y, batch_size=batch_size)
    assert_array_equal(store.read("g"), capture(model, MSE, x, y, batch_size=batch_size)[1].numpy())


def files_of(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_killed_capture_goes_on_and_ends_with_the_same_bytes(tmp_path):
    path, whole = tmp_path / "killed.zarr", tmp_path / "whole.zarr"
    script = Path(recorder.__file__)
    process = subprocess.Popen([sys.executable, str(script), str(path)])
    try:
        deadline = time.monotonic() + 60
        while not unit_file(path, "g", 1).exists():
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert not unit_file(path, "a", 6).exists()
    begun = unit_file(path, "a", 0).stat().st_mtime_ns
    recorder.capture(path)
    assert unit_file(path, "a", 0).stat().st_mtime_ns == begun
    recorder.capture(whole)
    assert files_of(path) == files_of(whole)


def test_a_finished_capture_is_opened(tmp_path):
    model, given = TinyGSNN(EVEN), data(25)
    path = tmp_path / "seen.zarr"
    first = capture_to_store(path, model, MSE, *given)
    model.forward = None
    assert capture_to_store(path, model, MSE, *given).facts == first.facts
    with pytest.raises(FileExistsError, match="path must be new"):
        capture_to_store(path, model, MSE, *given, resume=False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": TinyGSNN(EVEN, seed=1)}, "provenance of sha256 of the parameters"),
        ({"x": data(25, seed=1)[0]}, "provenance of sha256 of the first batch"),
        ({"norm": "l2"}, "provenance of norm"),
        ({"mode": "eval"}, "provenance of mode"),
        ({"batch_size": 5}, "provenance of batch_size"),
        ({"crit": nn.L1Loss()}, "provenance of crit"),
    ],
)
def test_another_capture_does_not_go_on(tmp_path, change, named):
    x, y = data(25)
    call = {"model": TinyGSNN(EVEN), "crit": MSE, "x": x, "y": y, "batch_size": 4}
    capture_to_store(tmp_path / "seen.zarr", **call)
    with pytest.raises(ValueError, match=f"made in the same way; .* differs in .*{named}"):
        capture_to_store(tmp_path / "seen.zarr", **(call | change))


def test_an_error_on_the_way_leaves_the_model_and_whole_units(tmp_path):
    model = TinyGSNN(EVEN)
    x, y = data(25)
    y[20] = torch.nan
    path = tmp_path / "seen.zarr"
    batches = DataLoader(TensorDataset(x, y), batch_size=4)
    with assert_unchanged(model), pytest.raises(ValueError, match="y must be finite"):
        capture_to_store(path, model, MSE, batches)
    assert unit_file(path, "g", 1).exists()
    assert not unit_file(path, "a", 2).exists()


def test_a_loader_that_shuffles_is_an_error(tmp_path):
    model = TinyGSNN(EVEN)
    with pytest.raises(ValueError, match=r"of repeatable order.* got one with a RandomSampler"):
        capture_to_store(tmp_path / "seen.zarr", model, MSE, loader(shuffle=True))


def test_an_order_that_the_user_vouches_for(tmp_path):
    order = list(range(24, -1, -1))
    model, (x, y) = TinyGSNN(EVEN), data(25)
    batches = loader(sampler=order)
    store = capture_to_store(tmp_path / "seen.zarr", model, MSE, batches, repeatable=True)
    a, _ = capture(model, MSE, x[order], y[order], batch_size=4)
    assert_array_equal(store.read("a"), a.numpy())


def test_progress_is_shown_where_it_is_asked_for(tmp_path, capsys):
    capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, *data(25), verbose=True)
    assert "capturing" in capsys.readouterr().err
