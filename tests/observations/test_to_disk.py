"""Observations on disk are those in memory, also when a process was killed on the way."""

import gc
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
import recorder
import torch
from gsnn_models import TinyGSNN, data
from model_state import assert_unchanged
from numpy.testing import assert_array_equal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges.activations import capture, capture_channels, capture_to_store
from gsnn_edges.activations import to_store as to_disk
from gsnn_edges.store import StoreWriter
from gsnn_edges.store.observations import usual_unit

MSE = nn.MSELoss()
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
pytestmark = pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work")


def unit_file(path, side, unit):
    """The file of the activations or gradients of a unit."""
    return path / side / "c" / "0" / str(unit) / "0"


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    """Units of two batches."""
    monkeypatch.setattr(to_disk, "usual_unit", lambda *sizes: 8)


ONES = torch.ones(25, 1)


class Shifted(TinyGSNN):
    def forward(self, x, shift=0):
        return super().forward(x + shift)


class Weighted(nn.Module):
    """A loss with a state that its name does not tell."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, prediction, target):
        return (self.weight * (prediction - target) ** 2).mean()


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


@pytest.mark.parametrize("kind", ["arrays", "loader"])
def test_a_killed_capture_goes_on_and_ends_with_the_same_bytes(tmp_path, kind):
    path, whole = tmp_path / "killed.zarr", tmp_path / "whole.zarr"
    script = Path(recorder.__file__)
    process = subprocess.Popen([sys.executable, str(script), str(path), kind])
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
    recorder.capture(path, kind)
    assert unit_file(path, "a", 0).stat().st_mtime_ns == begun
    recorder.capture(whole, kind)
    assert files_of(path) == files_of(whole)


def test_a_finished_capture_is_opened(tmp_path):
    model, given = TinyGSNN(EVEN), data(25)
    path = tmp_path / "seen.zarr"
    first = capture_to_store(path, model, MSE, *given)
    model.forward = None
    assert capture_to_store(path, model, MSE, *given).fingerprint() == first.fingerprint()
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
        ({"crit": Weighted(2.0)}, "provenance of sha256 of crit"),
        ({"crit": lambda p, t: ((p - t) ** 4).mean()}, "provenance of sha256 of crit"),
        ({"blocks": ["ResBlocks.0", "ResBlocks.2"]}, "provenance of blocks"),
        ({"groups": [0, 2, 1, 1, 2]}, "provenance of sha256 of groups"),
        ({"forward_kwargs": {"shift": 2 * ONES}}, "provenance of sha256 of forward_kwargs"),
    ],
)
def test_another_capture_does_not_go_on(tmp_path, change, named):
    x, y = data(25)
    call = {"model": Shifted(EVEN), "crit": Weighted(1.0), "x": x, "y": y, "batch_size": 4}
    call |= {"loss_reduction": "mean", "blocks": ["ResBlocks.0", "ResBlocks.1"]}
    call |= {"groups": [0, 0, 1, 2, 2], "forward_kwargs": {"shift": ONES}}
    if callable(change.get("crit")) and not isinstance(change["crit"], nn.Module):
        call["crit"] = lambda p, t: ((p - t) ** 2).mean()
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


@pytest.mark.parametrize("given", ["arrays", "loader"])
def test_inputs_that_change_on_the_way_are_found(tmp_path, given):
    path, model = tmp_path / "seen.zarr", TinyGSNN(EVEN)

    def run(x, y):
        arrays = (x, y) if given == "arrays" else (DataLoader(TensorDataset(x, y), batch_size=4),)
        how = {"batch_size": 4} if given == "arrays" else {}
        return capture_to_store(path, model, MSE, *arrays, **how)

    x, y = data(25)
    whole = run(x, y).read("a")
    unit_file(path, "g", 2).unlink()
    other = x.clone()
    other[10] += 1
    with pytest.raises(ValueError, match="samples 8 to 15 are others: pass the same data"):
        run(other, y)
    assert_array_equal(run(x, y).read("a"), whole)


def test_a_call_that_failed_at_first_is_in_nobodys_way(tmp_path):
    def crit(prediction, target):
        return ((prediction - target) ** 2).mean()

    path, model, (x, y) = tmp_path / "seen.zarr", TinyGSNN(EVEN), data(25)
    with pytest.raises(ValueError, match="loss_reduction='mean' or 'sum'"):
        capture_to_store(path, model, crit, x, y, batch_size=4)
    assert not path.exists()
    # A process that was killed then leaves a store without observations.
    StoreWriter.create(path, pairs=1, samples=3, columns=2)
    call = {"loss_reduction": "mean", "batch_size": 4, "resume": False}
    assert capture_to_store(path, model, crit, x, y, **call).samples == 25
    with pytest.raises(FileExistsError, match="path must be new"):
        capture_to_store(path, model, crit, x, y, **call)


def test_a_loader_without_samples_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one batch; got an empty one"):
        capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, loader(0))
    assert list(tmp_path.iterdir()) == []


def test_a_unit_is_some_batches_however_few_columns_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(to_disk, "usual_unit", usual_unit)
    monkeypatch.setattr(to_disk, "MOST_SAMPLES", 20)
    monkeypatch.setattr(to_disk, "MOST_BATCHES", 3)
    model = TinyGSNN(EVEN)
    for batch_size, unit in ((4, 20), (8, 24), (30, 25)):
        path = tmp_path / f"{batch_size}.zarr"
        assert capture_to_store(path, model, MSE, *data(25), batch_size=batch_size).unit == unit


def test_batches_of_a_unit_are_not_held_together(tmp_path):
    held = []

    class Counting(TensorDataset):
        def __getitems__(self, rows):
            batch = [super(Counting, self).__getitem__(row) for row in rows]
            held.append(weakref.ref(batch[0][0]))
            return batch

    counted = DataLoader(Counting(*data(25)), batch_size=2, collate_fn=lambda rows: [
        torch.stack(side) for side in zip(*rows, strict=True)
    ])  # fmt: skip
    alive = []
    real = to_disk.run_passes

    def watched(*arguments, **options):
        gc.collect()
        alive.append(sum(ref() is not None for ref in held))
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to_disk, "run_passes", watched)
        capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, counted)
    assert len(alive) == 13
    assert max(alive) <= 2


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
