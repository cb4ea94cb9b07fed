"""Work that was killed, or that a full disk stopped, goes on and ends with the same bytes."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from numpy.testing import assert_array_equal
from stores import digest, draw, write_store

from gsnn_edges.scale import correlate_store, rows
from gsnn_edges.scale import out_of_core as work
from gsnn_edges.scale.sizes import Sizes
from gsnn_edges.store import open_matrix

KILLED = """
import os, signal, sys
from gsnn_edges.scale import correlate_store
from gsnn_edges.scale import above
from gsnn_edges.scale import journal
from gsnn_edges.scale import matrices
from gsnn_edges.scale import rows
from gsnn_edges.scale import top
from gsnn_edges.scale import out_of_core as work
from gsnn_edges.scale.sizes import Sizes
held, kind, place, count, out = sys.argv[3] == "held", *sys.argv[4:8]
work.sizes_for = lambda *_: Sizes(5, 7, held)
work.STRETCH = 37
left = int(count)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dying(original, when):
    def call(*arguments):
        global left
        left -= 1
        if left == 0 and when == "before":
            die()
        found = original(*arguments)
        if left == 0:
            die()
        return found
    return call

owner, name, when = {
    "rows": (rows.RowFile, "write", "after"),
    "bytes": (rows, "write_all", "after"),
    "mark": (journal.Journal, "mark", "before"),
    "zarr": (matrices.ZarrMatrix, "put", "after"),
    "npy": (matrices.NpyMatrix, "put", "after"),
    "top": (top.TopSink, "put", "after"),
    "threshold": (above.AboveSink, "put", "after"),
    "save": (matrices.ZarrMatrix, "save", "after"),
    "remove": (work.Work, "remove", "before"),
}[place]
setattr(owner, name, dying(getattr(owner, name), when))
options = {"top": {"top": 3}, "threshold": {"threshold": 0.1}}.get(kind, {})
correlate_store(sys.argv[1], os.path.join(sys.argv[2], out), layers="mean", **options)
"""


def run(store, folder, *arguments):
    """Correlate in a process of its own, which may be killed."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", KILLED, str(store.path), str(folder), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("regime", "kind", "place", "counts"),
    [
        ("scratch", "zarr", "rows", (1, 9)),
        ("scratch", "zarr", "mark", (1, 12)),
        ("scratch", "npy", "bytes", (3, 60)),
        ("held", "zarr", "zarr", (1, 5)),
        ("held", "npy", "npy", (1, 9)),
        ("held", "top", "top", (2, 7)),
        ("held", "threshold", "threshold", (2, 7)),
        ("held", "zarr", "save", (1,)),
        ("held", "npy", "remove", (1,)),
    ],
)
def test_a_killed_call_goes_on(magnitudes, tmp_path, regime, kind, place, counts):
    out = {"top": "t.npz", "threshold": "t.npz"}.get(kind, f"W.{kind}")
    whole = run(magnitudes, tmp_path / "whole", regime, kind, place, -1, out)
    assert whole.returncode == 0, whole.stderr
    for count in counts:
        folder = tmp_path / f"killed-{count}"
        killed = run(magnitudes, folder, regime, kind, place, count, out)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert (folder / f"{out}.unfinished").exists()
        done = run(magnitudes, folder, regime, kind, place, -1, out)
        assert done.returncode == 0, done.stderr
        assert digest(folder) == digest(tmp_path / "whole")


@pytest.fixture
def stopped(magnitudes, tmp_path, monkeypatch):
    """A call that an error stopped in its second phase, and what it was called with."""
    monkeypatch.setattr(work, "sizes_for", lambda *_: Sizes(5, 7, False))
    put = work.ZarrMatrix.put
    calls = []

    def full(self, tile, block):
        calls.append(tile.number)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        put(self, tile, block)

    with monkeypatch.context() as patch:
        patch.setattr(work.ZarrMatrix, "put", full)
        with pytest.raises(OSError, match="10 blocks of ranked columns and 2 tiles are kept in"):
            correlate_store(magnitudes, tmp_path / "W.zarr")
    return magnitudes, tmp_path / "W.zarr"


def test_a_full_disk_keeps_what_is_done(stopped, tmp_path, monkeypatch):
    store, out = stopped
    assert not out.exists()
    whole = correlate_store(store, tmp_path / "whole.zarr").to_numpy()
    monkeypatch.setattr(work.Side, "rows", None)  # columns are ranked already
    assert_array_equal(correlate_store(store, out).to_numpy(), whole)


def test_a_disk_that_is_full_while_columns_are_ranked(magnitudes, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "sizes_for", lambda *_: Sizes(5, 7, False))
    write, calls = rows.write_all, []

    def full(file, values):
        calls.append(file)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        write(file, values)

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_all", full)
        with pytest.raises(OSError, match=r"3 blocks of .* 0 tiles .* call again with the same"):
            correlate_store(magnitudes, tmp_path / "W.zarr")
        calls.clear()
        with pytest.raises(OSError, match="nothing was kept: make room, or name a larger disk"):
            correlate_store(magnitudes, top=1)
    found = correlate_store(magnitudes, tmp_path / "W.zarr")
    assert_array_equal(found.to_numpy(), correlate_store(magnitudes, tmp_path / "V.npy").to_numpy())


def test_too_small_a_disk_is_known_before(magnitudes, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "sizes_for", lambda *_: Sizes(5, 7, False))
    monkeypatch.setattr(work.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"the standardized rows, 55.8 kB; got 1 kB free"):
        correlate_store(magnitudes, tmp_path / "W.zarr")


def test_other_settings_are_not_mixed(stopped):
    store, out = stopped
    with pytest.raises(ValueError, match="max_memory was 2000000000 and is 1000000000: call with"):
        correlate_store(store, out, max_memory="1GB")
    correlate_store(store, out, max_memory="1GB", resume=False)
    assert open_matrix(out).shape == (23, 23)


def rows_of(out):
    """The folder of the standardized rows."""
    return next(Path(f"{out}.unfinished").glob("*.rows"))


def test_rows_of_another_job_are_not_taken(stopped):
    store, out = stopped
    (rows_of(out) / work.OWNER).write_text("another")
    with pytest.raises(FileExistsError, match="must be those of this job, and are of another"):
        correlate_store(store, out)


def test_results_of_one_name_share_a_scratch(tmp_path, monkeypatch):
    """Two stores to W.zarr in two folders, each stopped while the other is at work."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(work, "sizes_for", lambda *_: Sizes(5, 7, False))
    calls = {}
    for seed in (0, 1):
        store = write_store(tmp_path / f"seen-{seed}", *draw(seed))
        (tmp_path / str(seed)).mkdir()
        calls[seed] = {"store": store, "out": tmp_path / str(seed) / "W.zarr", "scratch": scratch}
    with monkeypatch.context() as patch:
        patch.setattr(work.Products, "tile", lambda *_: pytest.fail("stopped"))
        for call in calls.values():
            with pytest.raises(pytest.fail.Exception):
                correlate_store(**call)
    for seed, call in calls.items():
        expected = correlate_store(call["store"], tmp_path / f"{seed}.npy").to_numpy()
        assert_array_equal(correlate_store(**call).to_numpy(), expected)
    assert list(scratch.iterdir()) == []


def test_other_observations_do_not_go_on(stopped):
    store, out = stopped
    a, g = draw()
    a[1, 60, 11] += 1  # one value in the middle
    shutil.rmtree(store.path)
    with pytest.raises(ValueError, match=r"observations was '.*' and is"):
        correlate_store(write_store(store.path, a, g), out)


def test_rows_that_are_gone_are_missed(stopped):
    store, out = stopped
    (rows_of(out) / "g-0").unlink()
    with pytest.raises(FileNotFoundError, match="g-0 are missing or cut short: give resume=False"):
        correlate_store(store, out)
