"""Observations on disk are those in memory, also when a process was killed on the way."""

import gc
import os
import shutil
import subprocess
import sys
import time
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from gsnn_models import TinyGSNN, data
from model_state import assert_unchanged
from numpy.testing import assert_array_equal
from stores import digest
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from gsnn_edges import capture, capture_channels, capture_to_store, open_store

MSE = nn.MSELoss()
EVEN = [[0, 0, 1, 2, 2, 3]] * 3
# Units of 4,096 samples: two of them, the second one short.
ROWS, BATCH = 4200, 64
pytestmark = pytest.mark.filterwarnings("ignore:dropout or batch statistics are at work")


def loader(rows=25, **options):
    return DataLoader(TensorDataset(*data(rows)), **({"batch_size": 4} | options))


def files_of_unit(path, unit):
    """Files of a unit of 4,096 samples, by the samples that they hold."""
    return [path / side / "c" / "0" / str(unit) / "0" for side in ("a", "g")]


# The numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("from_loader", [False, True])
@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_a_store_holds_what_is_captured_in_memory(tmp_path, score, from_loader, dtype):
    model, (x, y) = TinyGSNN(EVEN, norm="batch").to(dtype), data(ROWS, dtype=torch.float64)
    how = {"use_prenorm": False, "mode": "eval"}
    if score == "magnitude":
        how |= {"norm": "l2", "agg": "mean"}
    record = capture if score == "magnitude" else capture_channels
    expected = record(model, MSE, x, y, batch_size=BATCH, **how)
    batches = DataLoader(TensorDataset(x, y), batch_size=BATCH)
    source, size = ((batches,), {}) if from_loader else ((x, y), {"batch_size": BATCH})
    with assert_unchanged(model):
        store = capture_to_store(
            tmp_path / "s.zarr", model, MSE, *source, score=score, **how, **size
        )
    assert (store.pairs, store.samples, store.nodes, store.unit) == (2, ROWS, 4, 4096)
    # Inputs of more digits than the model make no wider store.
    assert store.dtype == expected[0].numpy().dtype
    for side, wanted in zip("ag", expected, strict=False):
        assert_array_equal(store.read(side), wanted.numpy())


class Shifted(TinyGSNN):
    def forward(self, x, shift=0, option=None):
        return super().forward(x + shift)


@pytest.mark.parametrize(("rows", "batch_size"), [(9, 7), (8, 8), (7, 10), (3, 2)])
def test_arguments_with_a_row_for_each_sample_are_cut(tmp_path, rows, batch_size):
    model, (x, y) = Shifted(EVEN), data(rows)
    shift = torch.arange(float(rows))[:, None]
    how = {"batch_size": batch_size, "forward_kwargs": {"shift": shift}}
    store = capture_to_store(tmp_path / "seen.zarr", model, MSE, x, y, **how)
    assert_array_equal(store.read("g"), capture(model, MSE, x, y, **how)[1].numpy())


def test_masks_follow_the_seed_and_the_number_of_their_batch(tmp_path):
    model, (x, y) = TinyGSNN(EVEN, dropout=0.5), data(8)
    x, y = x[:4].repeat(2, 1), y[:4].repeat(2, 1)
    first, again, other = (
        capture_to_store(
            tmp_path / f"{place}.zarr", model, MSE, x, y, seed=seed, batch_size=4, use_prenorm=False
        ).read("a")
        for place, seed in enumerate([1, 1, 2])
    )
    assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[:4] != first[4:8]).any()


# Interrupted and continued


def nap(prediction, target):
    """A loss that takes its time in a process that is to be killed."""
    time.sleep(float(os.environ.get("NAP", "0")))
    return ((prediction - target) ** 2).mean()


def record(path, kind):
    """Capture three units, with dropout at work."""
    model = TinyGSNN([[0, 1, 1]] * 3, dropout=0.5)
    if kind == "loader":
        source, options = (loader(2 * ROWS, batch_size=BATCH),), {}
    else:
        source, options = data(2 * ROWS), {"batch_size": BATCH}
    return capture_to_store(
        path, model, nap, *source, seed=5, loss_reduction="mean", mode=None, **options
    )


@pytest.mark.parametrize("kind", ["arrays", "loader"])
def test_a_killed_capture_goes_on_and_ends_with_the_same_bytes(tmp_path, kind):
    path, whole = tmp_path / "killed.zarr", tmp_path / "whole.zarr"
    command = [sys.executable, "-W", "ignore", __file__, str(path), kind]
    process = subprocess.Popen(command, env=os.environ | {"NAP": "0.005"})
    try:
        deadline = time.monotonic() + 120
        while not files_of_unit(path, 0)[1].exists():
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.05)  # into the next unit
    finally:
        process.kill()
        process.wait()
    assert not files_of_unit(path, 2)[0].exists()
    begun = files_of_unit(path, 0)[0].stat().st_mtime_ns
    record(path, kind)
    assert files_of_unit(path, 0)[0].stat().st_mtime_ns == begun
    record(whole, kind)
    assert digest(path) == digest(whole)


def test_a_finished_capture_is_opened(tmp_path):
    model, source = TinyGSNN(EVEN), data(25)
    path = tmp_path / "seen.zarr"
    capture_to_store(path, model, MSE, *source)
    before = digest(path)
    model.forward = None
    assert capture_to_store(path, model, MSE, *source).samples == open_store(path).samples == 25
    assert digest(path) == before
    with pytest.raises(FileExistsError, match="path must be new"):
        capture_to_store(path, model, MSE, *source, resume=False)


class Weighted(nn.Module):
    """A loss with a state that its name does not tell, and a counter that counts for nothing."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self._calls = 0

    def forward(self, prediction, target):
        self._calls += 1
        return (self.weight * (prediction - target) ** 2).mean()


ONES = torch.ones(25, 1)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, None),
        ({"model": Shifted(EVEN, seed=1)}, "sha256 of the parameters"),
        ({"x": data(25, seed=1)[0]}, "sha256 of the first batch"),
        ({"norm": "l2"}, "norm"),
        ({"mode": "eval"}, "mode"),
        ({"batch_size": 5}, "batch_size"),
        ({"crit": nn.L1Loss()}, "crit"),
        ({"crit": Weighted(2.0)}, "sha256 of crit"),
        ({"blocks": ["ResBlocks.0", "ResBlocks.2"]}, "blocks"),
        ({"groups": [0, 2, 1, 1, 2]}, "sha256 of groups"),
        ({"forward_kwargs": {"shift": 2 * ONES}}, "sha256 of forward_kwargs"),
    ],
)
def test_another_capture_does_not_go_on(tmp_path, change, what):
    x, y = data(25)
    call = {"model": Shifted(EVEN), "crit": Weighted(1.0), "x": x, "y": y, "batch_size": 4}
    call |= {"loss_reduction": "mean", "blocks": ["ResBlocks.0", "ResBlocks.1"]}
    call |= {"groups": [0, 0, 1, 2, 2], "forward_kwargs": {"shift": ONES}}
    capture_to_store(tmp_path / "seen.zarr", **call)
    if what is None:
        assert capture_to_store(tmp_path / "seen.zarr", **call).samples == 25
        return
    with pytest.raises(ValueError, match=f"made in the same way; .* differs in .*{what}"):
        capture_to_store(tmp_path / "seen.zarr", **(call | change))


def power(exponent, bias=0.0):
    """A function that is known by its code and by what it closes over."""
    return lambda value: value**exponent + bias


class Plain:
    def __init__(self, weight):
        self.weight = weight

    def method(self):
        return self.weight


LOOP = [1]
LOOP.append(LOOP)
# Each differs from all others, and not from itself made anew.
OPTIONS = [
    lambda: torch.arange(3.0),
    lambda: torch.arange(3.0, dtype=torch.float64),
    lambda: torch.arange(3.0)[:, None],
    lambda: torch.arange(3.0, dtype=torch.bfloat16),
    lambda: np.arange(3.0, dtype="f4"),
    lambda: {"x": np.arange(3)},
    lambda: {"y": np.arange(3)},
    lambda: [1, "2"],
    lambda: ["1", 2],
    lambda: (12,),
    lambda: (1, 2),
    lambda: {1, 2},
    lambda: None,
    lambda: torch.float32,
    lambda: power(2),
    lambda: power(4),
    lambda: power(2, 1.0),
    lambda: partial(power, 2),
    lambda: partial(power, 3),
    lambda: nn.MSELoss(),
    lambda: nn.MSELoss(reduction="sum"),
    lambda: nn.CrossEntropyLoss(weight=torch.ones(2)),
    lambda: nn.CrossEntropyLoss(weight=torch.arange(2.0)),
    lambda: Plain(1),
    lambda: Plain(2),
    lambda: Plain(1).method,
    lambda: TinyGSNN(),
    lambda: TinyGSNN(seed=1),
    lambda: LOOP,
]


def test_options_of_every_kind_are_told_apart(tmp_path):
    def run(path, make):
        model = Shifted(EVEN)
        return capture_to_store(path, model, MSE, *data(3), forward_kwargs={"option": make()})

    for place, make in enumerate(OPTIONS):
        path, following = tmp_path / f"{place}.zarr", OPTIONS[(place + 1) % len(OPTIONS)]
        run(path, make)
        run(path, make)
        with pytest.raises(ValueError, match=r"differs in .*sha256 of forward_kwargs"):
            run(path, following)
        shutil.rmtree(path)


def test_an_error_on_the_way_leaves_the_model_and_whole_units(tmp_path):
    model = TinyGSNN(EVEN)
    x, y = data(ROWS)
    y[-1] = torch.nan
    path = tmp_path / "seen.zarr"
    batches = DataLoader(TensorDataset(x, y), batch_size=BATCH)
    with assert_unchanged(model), pytest.raises(ValueError, match="y must be finite"):
        capture_to_store(path, model, MSE, batches)
    assert [file.exists() for unit in (0, 1) for file in files_of_unit(path, unit)] == [
        True, True, False, False
    ]  # fmt: skip


def test_inputs_that_change_on_the_way_are_refused(tmp_path):
    run = partial(capture_to_store, tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, batch_size=BATCH)
    x, y = data(ROWS)
    whole = run(x, y).read("a")
    files_of_unit(tmp_path / "seen.zarr", 1)[1].unlink()
    other = x.clone()
    other[100] += 1
    with pytest.raises(ValueError, match="samples 0 to 4095 are others: pass the same data"):
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
    capture_to_store(path, model, MSE, x[:3], y[:3])
    for side in ("a", "g"):
        shutil.rmtree(path / side / "c")
    call = {"loss_reduction": "mean", "batch_size": 4, "resume": False}
    assert capture_to_store(path, model, crit, x, y, **call).samples == 25
    with pytest.raises(FileExistsError, match="path must be new"):
        capture_to_store(path, model, crit, x, y, **call)


# Loaders


def test_batches_of_a_unit_are_not_held_together(tmp_path):
    held, alive = [], []

    class Counting(TensorDataset):
        def __getitems__(self, rows):
            batch = [super(Counting, self).__getitem__(row) for row in rows]
            held.append(weakref.ref(batch[0][0]))
            return batch

    def crit(prediction, target):
        gc.collect()
        alive.append(sum(ref() is not None for ref in held))
        return MSE(prediction, target)

    def collate(rows):
        return [torch.stack(side) for side in zip(*rows, strict=True)]

    counted = DataLoader(Counting(*data(25)), batch_size=2, collate_fn=collate)
    capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), crit, counted, loss_reduction="mean")
    assert len(alive) == 13
    assert max(alive) <= 2


def test_an_order_that_the_user_answers_for(tmp_path):
    order = list(range(24, -1, -1))
    model, (x, y) = TinyGSNN(EVEN), data(25)
    before = torch.get_rng_state()
    store = capture_to_store(
        tmp_path / "seen.zarr", model, MSE, loader(sampler=order, drop_last=True), repeatable=True
    )
    a, _ = capture(model, MSE, x[order[:24]], y[order[:24]], batch_size=4)
    assert store.samples == 24
    # A mean over the batch is one over as many samples, and activations know nothing of it.
    assert_array_equal(store.read("a"), a.numpy())
    assert_array_equal(torch.get_rng_state(), before)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(*data(10), strict=True))


def stream():
    return DataLoader(Stream(), batch_size=3)


def test_a_stream_needs_to_say_how_many(tmp_path):
    call = partial(capture_to_store, tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, repeatable=True)
    for wrong in (9, 12):
        with pytest.raises(ValueError, match=r"got others up to sample \d+|x must give 12 samples"):
            call(stream(), samples=wrong)
        shutil.rmtree(tmp_path / "seen.zarr", ignore_errors=True)
    assert call(stream(), samples=10).samples == 10


PAIRS = DataLoader(TensorDataset(*data(4)), batch_sampler=[[0, 1], [2, 3]])


@pytest.mark.parametrize(
    ("source", "options", "error", "phrase"),
    [
        ((stream(),), {"repeatable": True}, ValueError, "samples must say how many"),
        ((loader(), data(25)[1]), {}, TypeError, "y and batch_size must be left out"),
        (data(10), {"samples": 9}, ValueError, "samples must be the rows of x, 10"),
        ((loader(shuffle=True),), {}, ValueError, "with a RandomSampler: make it with shuf"),
        ((PAIRS,), {"repeatable": True}, ValueError, "batch_sampler of its own"),
        ((loader(0),), {}, ValueError, "at least one batch; got an empty one"),
        (data(10), {"norm": "l3"}, ValueError, "norm must be one of"),
        (data(10), {"resume": 1}, TypeError, "resume must be True or False"),
    ],
)
def test_a_wrong_call_is_refused_and_writes_nothing(tmp_path, source, options, error, phrase):
    with pytest.raises(error, match=phrase):
        capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, *source, **options)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_with_verbose(tmp_path, capsys):
    capture_to_store(tmp_path / "seen.zarr", TinyGSNN(EVEN), MSE, *data(25), verbose=True)
    assert "capturing" in capsys.readouterr().err


if __name__ == "__main__":
    record(*sys.argv[1:])
