"""W of a store is that of its observations in memory, whatever the bound, the sink and the kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import oracles
import pytest
from libraries import require
from numpy.testing import assert_allclose, assert_array_equal
from stores import Disk, digest, draw, write_store

from gsnn_edges import channel_correlation
from gsnn_edges.scale import PairsAbove, TopTargets, correlate_store
from gsnn_edges.store import StoreWriter, open_matrix

# Twice the bounds of law 3: these columns are tied, and some have few values.
BOUND = 4e-6
# Nodes of one to four columns, which do not lie side by side, and one of none.
COLUMN_NODES = np.array([0, 1, 2, 3, 4, 6, 7, 0, 1, 2, 3, 4, 6, 0, 0, 1, 1, 2, 4, 7, 7, 7, 3])


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Stores by name, and their activations and gradients (P, S, C).

    "wide" makes many tiles under a small bound, "deep" several stretches of observations.
    """
    folder = tmp_path_factory.mktemp("stores")
    small, wide, deep = draw(), draw(1, 3, 100, 1000), draw(2, 3, 1000, 60)
    channels = {"score": "channels", "column_nodes": COLUMN_NODES, "nodes": 9}
    several = {"score": "channels", "column_nodes": np.arange(1000) % 334}
    return {
        "nodes": (write_store(folder / "nodes", *small), *small),
        "channels": (write_store(folder / "channels", *small, **channels), *small),
        "wide": (write_store(folder / "wide", *wide), *wide),
        "wide channels": (write_store(folder / "wide channels", *wide, **several), *wide),
        "deep": (write_store(folder / "deep", *deep), *deep),
    }


@pytest.fixture
def nodes(stores):
    return stores["nodes"][0]


def parts_of(layers, a, g):
    """Observations of each matrix of the mean."""
    if layers == "pooled":
        return [(a.reshape(-1, a.shape[2]), g.reshape(-1, g.shape[2]))]
    pairs = list(zip(a, g, strict=True))
    return pairs if layers == "mean" else [pairs[-1 if layers == "last" else layers]]


@pytest.mark.parametrize("kind", ["zarr", "npy"])
@pytest.mark.parametrize(
    ("name", "max_memory", "layers"),
    [
        ("nodes", "2GB", "pooled"),
        ("wide", "12MB", "pooled"),  # tiles of rows on disk
        ("wide", "16MB", "pooled"),  # tiles of rows in memory
        ("wide", "12MB", "mean"),
        ("deep", "12MB", "pooled"),
    ],
)
def test_nodes(stores, tmp_path, name, max_memory, layers, kind):
    store, a, g = stores[name]
    out = tmp_path / f"W.{kind}"
    W = correlate_store(store, out, layers=layers, max_memory=max_memory)
    exact = np.mean([oracles.correlation(*part) for part in parts_of(layers, a, g)], axis=0)
    assert_allclose(W.to_numpy(), exact, atol=BOUND)
    assert W.dtype == np.float32
    if kind == "zarr":
        assert (W.cells.chunks[0] < W.shape[0]) == (name == "wide")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"W.{kind}"} | ({"W.npy.json"} if kind == "npy" else set())


@pytest.mark.parametrize("n_components", [None, 2])
@pytest.mark.parametrize(
    ("name", "layers", "options"),
    [
        ("channels", "pooled", {}),
        ("channels", "mean", {"backend": "torch"}),
        ("channels", "last", {"backend": "jax"}),
        ("wide channels", "mean", {"max_memory": "12MB"}),
    ],
)
def test_channels(stores, tmp_path, name, layers, options, n_components):
    require(options.get("backend", "numpy"))
    store, a, g = stores[name]
    options = {"layers": layers, "n_components": n_components, **options}
    W = correlate_store(store, tmp_path / "W.zarr", **options)
    own, options = store.column_nodes, {"nodes": store.nodes, "n_components": n_components}
    each = [channel_correlation(*part, own, own, **options) for part in parts_of(layers, a, g)]
    assert_allclose(W.to_numpy(), np.mean(each, axis=0), atol=2 * BOUND)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(("method", "ties"), [("pearson", "average"), ("spearman", "ordinal")])
def test_options_on_each_backend(stores, tmp_path, backend, method, ties):
    require(backend)
    store, a, g = stores["nodes"]
    options = {"method": method, "ties": ties, "backend": backend}
    W = correlate_store(store, tmp_path / "W.npy", **options)
    exact = oracles.correlation(*parts_of("pooled", a, g)[0], method, ties)
    assert_allclose(W.to_numpy(), exact, atol=BOUND)


@pytest.mark.parametrize("out", [None, "kept.npz"])
def test_what_is_kept_of_w(stores, tmp_path, out):
    store, scratch = stores["wide"][0], tmp_path / "scratch"
    scratch.mkdir()
    bound = {"max_memory": "16MB", "scratch": scratch}
    W = correlate_store(store, tmp_path / "W.npy", **bound).to_numpy()
    top = correlate_store(store, out and tmp_path / out, top=4, **bound)
    best = np.argsort(-W, axis=1, kind="stable")[:, :4]
    assert_array_equal(top.targets, best)
    assert_array_equal(top.scores, np.take_along_axis(W, best, axis=1))
    above = correlate_store(store, out and tmp_path / "above.npz", threshold=0.2, **bound)
    expected = np.nonzero(abs(W) >= np.float32(0.2))
    assert_array_equal([above.sources, above.targets], expected)
    assert_array_equal(above.scores, W[expected])
    assert list(scratch.iterdir()) == []
    if out:
        loaded = TopTargets.load(tmp_path / out), PairsAbove.load(tmp_path / "above.npz")
        assert_array_equal(loaded[0].targets, top.targets)
        assert_array_equal(loaded[1].scores, above.scores)
        with pytest.raises(ValueError, match="gsnn-edges top"):
            TopTargets.load(tmp_path / "above.npz")


@pytest.mark.parametrize("k", [1, 5, 400])
def test_the_best_of_equal_scores_are_the_first(tmp_path, k):
    """Constant columns make whole rows of zeros, over many tiles."""
    a, g = draw(1, 1, 40, 400)
    a[..., ::2], g[..., ::3] = 1, 1
    bound = {"max_memory": 10**7 + 24 * 400 * k}
    store = write_store(tmp_path / "s", a, g)
    W = correlate_store(store, tmp_path / "W.zarr", **bound)
    assert W.cells.chunks[0] < 400
    expected = np.argsort(-W.to_numpy(), axis=1, kind="stable")[:, :k]
    assert_array_equal(correlate_store(store, top=k, **bound).targets, expected)
    above = correlate_store(store, threshold=0, max_memory="30MB")
    assert_array_equal(above.sources * 400 + above.targets, np.arange(400**2))


def test_pairs_have_frames(nodes):
    pytest.importorskip("pandas")
    names = [f"n{node}" for node in range(23)]
    top, above = correlate_store(nodes, top=3), correlate_store(nodes, threshold=0.3)
    frame = top.to_frame(names)
    assert frame["rank"].tolist() == [1, 2, 3] * 23
    assert frame.source.tolist() == np.repeat(names, 3).tolist()
    assert frame.target.tolist() == [names[target] for target in top.targets.ravel()]
    assert top.to_frame().score.tolist() == top.scores.ravel().tolist()
    frame = above.to_frame(names)
    assert frame.columns.tolist() == ["source", "target", "score"]
    assert frame.source.tolist() == [names[source] for source in above.sources]
    for wrong, phrase in [
        (names[:-1], "each of the 23 nodes, in their order; got 22 names"),
        ([*names, "x"], "each of the 23 nodes"),
        (["x"] * 23, "must be different; got 'x' more than once"),
    ]:
        with pytest.raises(ValueError, match=phrase):
            top.to_frame(wrong)


# The peak that the kernel remembers of this program; that of `resource` begins with its parent's.
MEASURED = """
import json, re, sys, zarr
from gsnn_edges import backends
from gsnn_edges.scale import correlate_store
bound, backend, calls = sys.argv[1:]
backends.load(backend)

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

before = kilobytes("VmRSS")
for call in json.loads(calls):
    correlate_store(**call, max_memory=int(bound), backend=backend)
    print(1024 * (kilobytes("VmHWM") - before))
"""
# A tenth of the inputs.
BOUNDS = {"numpy": 20, "torch": 24, "jax": 200}
# Twenty targets of each source, or about as many pairs as the bound may hold.
KEPT = {"matrix": {}, "top": {"top": 20}, "threshold": {}}
THRESHOLDS = {"magnitude": 0.0125, "channels": 0.0205}


def write_large(path, score, total, columns=1200):
    """Write values that hardly tie, in chunks of few columns: small bounds rank few at a time."""
    samples = -(-total // (8 * columns))
    sizes = {"pairs": 1, "samples": samples, "columns": columns, "unit": 10_000}
    if score == "channels":
        sizes["column_nodes"] = np.arange(columns) // 3
    writer = StoreWriter.create(path, **sizes, score=score, chunk_columns=4)
    rng = np.random.default_rng(0)
    for unit in writer.missing:
        top, bottom = writer.rows_of(unit)
        writer.put(unit, *rng.random((2, 1, bottom - top, columns), np.float32))
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("backend", "cases"),
    [
        ("numpy", [("channels", "threshold")]),
        *(
            pytest.param(backend, list(product(THRESHOLDS, KEPT)), marks=pytest.mark.slow)
            for backend in BOUNDS
        ),
    ],
)
def test_memory_stays_under_a_tenth_of_the_inputs(tmp_path, backend, cases):
    require(backend)
    bound, calls = BOUNDS[backend] * 10**6, []
    for score in dict(cases):
        write_large(tmp_path / score, score, 10 * bound)
    for score, kept in cases:
        options = {"threshold": THRESHOLDS[score]} if kept == "threshold" else KEPT[kept]
        out = tmp_path / f"{score}-{kept}.{'zarr' if kept == 'matrix' else 'npz'}"
        calls.append({"store": str(tmp_path / score), "out": str(out), **options})
    command = [sys.executable, "-c", MEASURED, str(bound), backend, json.dumps(calls)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    peaks = [int(line) for line in run.stdout.split()]
    assert len(peaks) == len(calls)
    assert max(peaks) < bound, peaks


def test_the_least_bound_is_named(stores, tmp_path):
    with pytest.raises(ValueError, match="hold a node of 3000 observations while") as error:
        correlate_store(stores["deep"][0], top=1, max_memory="9MB")
    least = str(error.value).rpartition("give ")[2].removesuffix(" or more")
    assert correlate_store(stores["deep"][0], top=1, max_memory=least).targets.shape == (60, 1)


def test_more_pairs_than_memory_are_an_error(stores):
    with pytest.raises(ValueError, match=r"at most \d+ pairs, which max_memory=16 MB can hold"):
        correlate_store(stores["wide"][0], threshold=0.01, max_memory="16MB")


WIDE = {"max_memory": "12MB"}
KILLED = """
import json, os, signal, sys
from gsnn_edges.scale import correlate_store
left, fsync = int(sys.argv[2]), os.fsync

def dying(handle):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(handle)

os.fsync = dying
correlate_store(**json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("W.zarr", {}, 0.05),
        ("W.npy", {}, 0.6),
        ("t.npz", {"threshold": 0.3, "layers": "mean"}, 0.97),
    ],
)
def test_a_killed_call_goes_on(stores, tmp_path, monkeypatch, name, options, share):
    store = stores["wide"][0]
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        (tmp_path / "whole").mkdir()
        correlate_store(store, tmp_path / "whole" / name, **options, **WIDE)
    folder = tmp_path / "killed"
    folder.mkdir()
    call = {"store": store.path, "out": folder / name, **options, **WIDE}
    count = max(1, int(share * disk.count))
    command = [sys.executable, "-c", KILLED, json.dumps(call, default=str), str(count)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (folder / f"{name}.unfinished").exists()
    correlate_store(**call)
    assert digest(folder) == digest(tmp_path / "whole")


@pytest.fixture
def stopped(stores, tmp_path, monkeypatch):
    """A call that a full disk stopped among its tiles."""
    store = shutil.copytree(stores["wide"][0].path, tmp_path / "seen")
    call = {"store": store, "out": tmp_path / "W.zarr", **WIDE}
    with monkeypatch.context() as patch:
        Disk(patch, room=30)
        with pytest.raises(OSError, match=r"32 blocks of ranked columns and \d tiles are kept in"):
            correlate_store(**call)
    assert not call["out"].exists()
    return call


def unfinished(call):
    return Path(f"{call['out']}.unfinished")


def test_a_full_disk_keeps_what_is_done(stores, stopped, tmp_path, capfd):
    for file in stopped["store"].glob("[ag]/c/0/*/0"):  # columns are not ranked again
        file.write_bytes(bytes(file.stat().st_size))
    with (unfinished(stopped) / "done.txt").open("a") as file:
        file.write("tile 2")  # and half a line is no finished tile
    W = correlate_store(**stopped, verbose=True)
    assert "correlating" in capfd.readouterr().err
    expected = correlate_store(stores["wide"][0], tmp_path / "V.npy", **WIDE)
    assert_array_equal(W.to_numpy(), expected.to_numpy())


def test_a_disk_that_is_full_while_columns_are_ranked(stores, tmp_path, monkeypatch):
    call = {"store": stores["wide"][0], **WIDE}
    with monkeypatch.context() as patch:
        Disk(patch, room=4)
        with pytest.raises(OSError, match=r"0 blocks of .* 0 tiles .* call again with the same"):
            correlate_store(out=tmp_path / "W.zarr", **call)
    with monkeypatch.context() as patch:
        Disk(patch, room=4)
        with pytest.raises(OSError, match="nothing was kept: make room, or name a larger disk"):
            correlate_store(top=1, **call)
    W = correlate_store(out=tmp_path / "W.zarr", **call).to_numpy()
    assert_array_equal(W, correlate_store(out=tmp_path / "V.npy", **call).to_numpy())


def test_too_small_a_disk_is_known_before(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"the standardized rows, 2\.4 MB; got 1 kB free"):
        correlate_store(stores["wide"][0], tmp_path / "W.zarr", **WIDE)


def of_another_version(call):
    job = unfinished(call) / "job.json"
    job.write_text(job.read_text().replace('"gsnn-edges": "', '"gsnn-edges": "0.'))


def other_observations(call):
    a, g = draw(1, 3, 100, 1000)
    a[1, 60, 11] += 1  # one value in the middle
    write_store(call["store"].with_name("other"), a, g)
    return {"store": call["store"].with_name("other")}


def rows_of_g(call):
    return next(unfinished(call).glob("*.rows")) / "g-0"


# What happens to a call that was stopped, and how it is refused.
SPOILT = {
    "memory": (
        lambda call: {"max_memory": "1GB"},
        r"max_memory was 12000000 and is 10{9}: call with",
    ),
    "version": (of_another_version, r"gsnn-edges was '0\..*' and is '.*: call with those"),
    "observations": (other_observations, r"observations was '.*' and is"),
    "no rows": (lambda call: rows_of_g(call).unlink(), "g-0', which is missing or cut short: give"),
    "cut rows": (
        lambda call: os.truncate(rows_of_g(call), 100),
        "missing or cut short: give resume",
    ),
    **{
        f"{name}: {text!r}": (
            lambda call, name=name, text=text: (unfinished(call) / name).write_text(text) * 0,
            "is broken: give resume=False to begin anew",
        )
        for name in ("job.json", "done.txt")
        for text in ("", "[]", "{}", "run 0\n")
    },
}


@pytest.mark.parametrize("case", SPOILT)
def test_work_of_another_call_is_not_gone_on_with(stopped, case):
    spoil, phrase = SPOILT[case]
    call = stopped | (spoil(stopped) or {})
    with pytest.raises((ValueError, FileNotFoundError), match=phrase):
        correlate_store(**call)
    assert correlate_store(**call, resume=False).shape == (1000, 1000)
    assert not unfinished(stopped).exists()


def test_notes_of_work_that_is_gone_count_for_nothing(stopped):
    (unfinished(stopped) / "job.json").unlink()  # as a kill while all of it is removed leaves
    correlate_store(**stopped | {"method": "pearson"})
    assert np.isfinite(open_matrix(stopped["out"]).to_numpy()).all()


def test_results_of_one_name_share_a_scratch(stores, tmp_path, monkeypatch):
    """Two calls to W.zarr in two folders, each stopped while the other is at work."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    calls = {}
    for method in ("spearman", "pearson"):
        (tmp_path / method).mkdir()
        calls[method] = {"store": stores["wide"][0], "scratch": scratch, "method": method, **WIDE}
        with monkeypatch.context() as patch:
            Disk(patch, room=30)
            with pytest.raises(OSError, match="tiles are kept in"):
                correlate_store(**calls[method], out=tmp_path / method / "W.zarr")
    assert len(list(scratch.iterdir())) == 2
    for method, call in calls.items():
        expected = correlate_store(**call, out=tmp_path / f"{method}.npy").to_numpy()
        W = correlate_store(**call, out=tmp_path / method / "W.zarr")
        assert_array_equal(W.to_numpy(), expected)
    assert list(scratch.iterdir()) == []


def test_a_result_that_is_there_is_taken(nodes, tmp_path):
    for name, options in (("W.zarr", {}), ("W.npy", {}), ("t.npz", {"top": 3})):
        call = {"store": nodes, "out": tmp_path / name, **options}
        correlate_store(**call)
        before, changed = digest(tmp_path), (tmp_path / name).stat().st_mtime_ns
        correlate_store(**call)
        assert digest(tmp_path) == before
        assert (tmp_path / name).stat().st_mtime_ns == changed
        with pytest.raises(FileExistsError, match="other settings: method was 'spearman' and is"):
            correlate_store(**call, method="pearson")
        correlate_store(**call, method="pearson", resume=False)
        assert digest(tmp_path) != before


@pytest.mark.parametrize("name", ["W.zarr", "W.npy"])
def test_what_others_made_is_not_overwritten(nodes, tmp_path, name):
    if name == "W.npy":
        correlate_store(nodes, tmp_path / name)
        np.save(tmp_path / name, np.eye(3))  # later than its sidecar
    else:
        write_store(tmp_path / name, *draw())
    before = digest(tmp_path)
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="is something else: remove it, or choose"):
            correlate_store(nodes, tmp_path / name, resume=resume)
    assert digest(tmp_path) == before


def test_a_file_where_the_sidecar_goes_is_not_written_over(nodes, tmp_path):
    (tmp_path / "W.npy.json").write_text('{"notes": "mine"}')
    with pytest.raises(FileExistsError, match=r"out needs .*W.npy.json' beside it"):
        correlate_store(nodes, tmp_path / "W.npy")
    assert json.loads((tmp_path / "W.npy.json").read_text()) == {"notes": "mine"}


def test_what_a_kill_left_beside_a_result_goes(stopped, tmp_path):
    shutil.copytree(unfinished(stopped), tmp_path / "left")
    correlate_store(**stopped)
    shutil.copytree(tmp_path / "left", unfinished(stopped))
    correlate_store(**stopped)
    assert not unfinished(stopped).exists()


def test_a_kill_between_a_result_and_its_sidecar_loses_nothing(nodes, tmp_path, monkeypatch):
    out, replace = tmp_path / "W.npy", os.replace
    correlate_store(nodes, out)

    def dying(made, path):
        if path == out:
            pytest.fail("killed")
        replace(made, path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(pytest.fail.Exception):
            correlate_store(nodes, out, method="pearson", resume=False)
    assert (tmp_path / "W.npy.json").exists()
    W = correlate_store(nodes, out, method="pearson").to_numpy()
    expected = correlate_store(nodes, tmp_path / "V.npy", method="pearson").to_numpy()
    assert_array_equal(W, expected)


def test_w_of_which_a_part_is_lost_is_not_the_result(nodes, tmp_path):
    out = tmp_path / "W.zarr"
    correlate_store(nodes, out)
    (out / "c" / "0" / "0").unlink()
    with pytest.raises(ValueError, match="lacks 1 of its chunks, as c/0/0: make it again with"):
        correlate_store(nodes, out)
    assert correlate_store(nodes, out, resume=False).shape == (23, 23)


@pytest.mark.parametrize("name", ["W.zarr", "a/W.npy"])
def test_a_result_within_its_store_is_refused(nodes, name):
    with pytest.raises(ValueError, match="out must lie outside of other stores"):
        correlate_store(nodes, nodes.path / name)


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ({"n_components": 2}, ValueError, "n_components=2 needs a store of score='channels'"),
        ({"top": 24}, ValueError, "top must be at most 23, the nodes"),
        ({"top": 20, "max_memory": "10KB"}, ValueError, "=10 kB; got 20, which takes 11.1 kB"),
        ({"top": 2, "threshold": 0.1}, ValueError, "must not both be given"),
        ({"top": None}, ValueError, r"out must name a \.zarr or a \.npy for W"),
        ({"top": None, "threshold": -0.1}, ValueError, "at least 0, and finite; got -0.1"),
        ({"top": None, "threshold": np.nan}, ValueError, "finite; got nan"),
        ({"top": None, "threshold": True}, TypeError, "threshold must be a number"),
        ({"device": "gpu"}, ValueError, "device must be None or 'cpu'"),
        ({"resume": "no"}, TypeError, "resume must be True or False"),
        ({"scratch": 3}, TypeError, "scratch must be a text or a path"),
        ({"scratch": "/nowhere/at/all"}, NotADirectoryError, "make it first"),
        ({"out": "W.npy"}, ValueError, r"out must end with \.npz for top="),
        ({"out": "W.npz", "top": None}, ValueError, r"out must end with \.zarr or \.npy for W"),
    ],
)
def test_wrong_arguments_are_explained(nodes, tmp_path, monkeypatch, arguments, error, phrase):
    if "jax" in arguments.values():
        require("jax")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=phrase):
        correlate_store(nodes, **{"top": 1, **arguments})
    assert list(tmp_path.iterdir()) == []


def test_few_observations_are_explained(tmp_path):
    a, g = draw(samples=2)
    store = write_store(tmp_path / "s", a, g)
    assert correlate_store(store, top=1).targets.shape == (23, 1)
    with pytest.raises(ValueError, match="at least 2 observations for each matrix; got 1"):
        correlate_store(write_store(tmp_path / "t", a[:, :1], g[:, :1]), top=1, layers="mean")
    channels = {"score": "channels", "column_nodes": np.arange(23)}
    with pytest.raises(ValueError, match="at least 3 observations for each matrix; got 2"):
        correlate_store(write_store(tmp_path / "c", a, g, **channels), top=1)
