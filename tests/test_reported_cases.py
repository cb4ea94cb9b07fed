"""Inputs that once gave a silently wrong answer, or none.

Each case is a function that says whether the outcome is right.
"""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from stores import draw, write_store

from gsnn_edges import (
    EdgeEvidence,
    bootstrap_interval,
    capture,
    capture_to_store,
    channel_correlation,
    cross_correlation,
    evaluate_edges,
    mrr,
    open_store,
    rankdata,
)
from gsnn_edges.cli.main import main
from gsnn_edges.cli.tables import read_array, read_edges, read_names
from gsnn_edges.scale import correlate_store
from gsnn_edges.store import open_matrix


def outcome(call, *arguments, **options):
    """Result of a call, or what it raised."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        return error


def text(name, content):
    Path(name).write_text(content)
    return name


def observations(samples=6, columns=8):
    return write_store("s.zarr", *draw(pairs=1, samples=samples, columns=columns))


def edit(folder, change):
    """Change the metadata of a zarr group or array."""
    file = Path(folder, "zarr.json")
    metadata = json.loads(file.read_text())
    change(metadata)
    file.write_text(json.dumps(metadata))


@contextmanager
def at_most(seconds):
    def ring(*_):
        raise AssertionError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def header_of_numbers():
    """A frame without column names is written with the header 0,1,2, which is no sample."""
    pd.DataFrame(np.ones((5, 3))).to_csv("x.csv", index=False)
    found = outcome(read_array, "x.csv")
    return isinstance(found, ValueError | UserWarning) or found.shape == (5, 3)


def index_in_parquet():
    """The index that pandas keeps in a parquet file is no feature."""
    values = np.arange(6.0).reshape(3, 2)
    pd.DataFrame(values, columns=["a", "b"], index=[7, 2, 5]).to_parquet("x.parquet")
    found = outcome(read_array, "x.parquet")
    return isinstance(found, ValueError) or np.array_equal(found, values)


def row_after_a_hash():
    """A row that begins with # is no comment."""
    file = text("x.csv", "a,b\n0.5,1\n#0.1,0.2\n3,4\n")
    return isinstance(outcome(read_array, file), ValueError)


def line_break_in_a_quoted_name():
    file = text("x.csv", '"gene\n(TPM)",c\n1,2\n3,4\n')
    return np.array_equal(outcome(read_array, file), [[1, 2], [3, 4]])


def underscore_in_a_number():
    """1_0 is a number in Python, and not in a table of edges."""
    file = text("e.csv", "source,target\n1_0,2\n")
    return isinstance(outcome(read_edges, file, [f"n{i}" for i in range(20)]), ValueError)


def missing_end_of_an_edge():
    """A missing value is not the node that is called "None"."""
    pd.DataFrame({"source": ["a", "b"], "target": ["b", None]}).to_parquet("e.parquet")
    return isinstance(outcome(read_edges, "e.parquet", ["a", "b", "None"]), ValueError)


def empty_name_in_json():
    """An empty name must not shift those behind it."""
    names, edges = text("n.json", '["a","","c"]'), text("e.csv", "source,target\na,c\n")
    found = outcome(lambda: read_edges(edges, read_names(names)))
    return isinstance(found, ValueError) or np.array_equal(found, [[0], [2]])


def matrix_inside_a_group():
    correlate_store(observations(), "W.zarr", max_memory="300MB")
    zarr.create_group("g.zarr")
    shutil.copytree("W.zarr", "g.zarr/W")
    return getattr(outcome(open_matrix, "g.zarr"), "shape", None) == (8, 8)


def samples_beyond_the_arrays():
    """A size that a store declares is held against its arrays before any loop over it."""
    observations()
    edit("s.zarr", lambda group: group["attributes"]["facts"].update(samples=2**60))
    with at_most(1):
        return isinstance(outcome(open_store, "s.zarr"), ValueError)


def array_of_another_dtype():
    """The bits of float32 values are not read as whole numbers."""
    observations()
    edit("s.zarr/a", lambda array: array.update(data_type="int32", fill_value=0))
    return isinstance(outcome(lambda: open_store("s.zarr").read("a")), ValueError)


def numpy_that_raises_on_underflow():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 3)).astype(np.float32) * np.float32(1e-35)
    g = rng.normal(size=(60, 2)).astype(np.float32)
    a[:, 1] *= np.float32(1e-6)
    wanted = np.corrcoef(a.T.astype(float), g.T.astype(float))[:3, 3:]
    with np.errstate(all="raise"):
        found = outcome(cross_correlation, a, g, method="pearson")
    return isinstance(found, np.ndarray) and abs(found - wanted)[[0, 2]].max() < 1e-5


def default_device_of_torch():
    """capture gives the same bits whatever torch.set_default_device says."""
    generator = torch.Generator().manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    x, y = (torch.randn(20, width, generator=generator) for width in (4, 3))
    call = (model, nn.MSELoss(), x, y)
    wanted = capture(*call, blocks=["0", "2"], groups=range(6))
    torch.set_default_device("meta")
    try:
        found = outcome(capture, *call, blocks=["0", "2"], groups=range(6))
    finally:
        torch.set_default_device(None)
    return isinstance(found, tuple) and all(map(torch.equal, found, wanted))


def lazy_negative_view():
    """The imaginary part of a conjugate is a view that torch negates when it is read."""
    generator = torch.Generator().manual_seed(0)
    a = torch.fft.rfft(torch.randn(30, 8, generator=generator)).conj().imag[:, 1:4]
    g = torch.randn(30, 2, generator=generator)
    assert a.is_neg()
    found = outcome(cross_correlation, a, g)
    return torch.is_tensor(found) and torch.equal(found, cross_correlation(a.resolve_neg(), g))


def file_of_the_user_beside_out():
    """The work file of --out mine.csv is not the user's mine.csv.npz."""
    correlate_store(observations(), "mine.csv.npz", top=3)
    content = Path("mine.csv.npz").read_bytes()
    call = ["correlate", "s.zarr", "--out", "mine.csv", "--top", "2", "-q"]
    with pytest.raises(SystemExit):
        main(call)
    file = Path("mine.csv.npz")
    return file.exists() and file.read_bytes() == content


MSE = torch.nn.MSELoss()
SECOND = """
from gsnn_edges.scale import correlate_store
correlate_store("s.zarr", "W.npy", max_memory="12MB")
"""


def two_processes_on_one_output():
    """The second one says that another is at work, or both end well."""
    observations(samples=400, columns=300)
    call = [sys.executable, "-c", SECOND]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as first:
        while len(list(Path().iterdir())) == 1:  # the store alone
            if first.poll() is not None:
                raise RuntimeError(f"the first process ended early: {first.stderr.read()}")
        first.send_signal(signal.SIGSTOP)
        second = outcome(correlate_store, "s.zarr", "W.npy", max_memory="12MB")
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=60)
    well = first.returncode == 0, not isinstance(second, Exception)
    return all(one or "process" in str(why) for one, why in zip(well, (said, second), strict=True))


def folder_of_the_user_beside_out():
    """Unfinished work neither mixes with a folder of the user nor removes it."""
    notes = Path("W.npy.unfinished", "notes.txt")
    notes.parent.mkdir()
    text(notes, "mine")
    found = outcome(correlate_store, observations(), "W.npy", resume=False)
    return isinstance(found, FileExistsError) and notes.read_text() == "mine"


def two_captures_to_one_store():
    """The second hears so while the first runs, and the first is not disturbed."""
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 3))
    call = {"blocks": ["0", "1"], "groups": range(3)}
    heard = []

    def loss(x, y):
        if not heard:
            heard.append(None)
            heard[0] = outcome(capture_to_store, "s.zarr", network, MSE, x, y, **call)
        return MSE(x, y)

    store = capture_to_store("s.zarr", network, loss, torch.ones(9, 4), torch.ones(9, 3), **call)
    return isinstance(heard[0], BlockingIOError) and open_store("s.zarr").samples == store.samples


def lock_of_a_process_that_was_killed():
    """The system lets go of a lock; the file that it leaves says nothing."""
    observations()
    text(".W.npy.gsnn-edges.lock", "")
    found = outcome(correlate_store, "s.zarr", "W.npy", max_memory="300MB")
    return found.shape == (8, 8) and not Path(".W.npy.gsnn-edges.lock").exists()


def imaginary_part(shape):
    """Small values as a tensor that torch negates when it is read."""
    generator = torch.Generator().manual_seed(1)
    values = torch.complex(*(torch.randn(*shape, generator=generator) for _ in range(2))) * 1e-38
    view = values.conj().imag
    assert view.is_neg()
    return view


EDGES = np.array([[0, 1, 2], [3, 4, 5]])
CALCULATIONS = {
    "ranks": (rankdata, (20, 3)),
    "mrr": (lambda W: mrr(W, EDGES, EDGES), (8, 8)),
    "metrics": (lambda W: str(evaluate_edges(W, EDGES, EDGES, seed=0)), (8, 8)),
    "mean": (lambda W: EdgeEvidence.mean([EdgeEvidence(W), EdgeEvidence(W.T)]).W, (8, 8)),
    "channels": (lambda a: channel_correlation(a, a, [0, 1, 1], [0, 1, 1]), (20, 3)),
    "bootstrap": (lambda a: bootstrap_interval(a, a, 20, seed=0, **PEARSON).low, (20, 3)),
}
PEARSON = {"method": "pearson", "n_resamples": 9}


@pytest.mark.parametrize("name", CALCULATIONS)
def test_what_a_process_has_set_and_lazy_views_change_no_bit(name):
    call, shape = CALCULATIONS[name]
    view = imaginary_part(shape)
    array = view.numpy(force=True)
    wanted = call(array), call(view.resolve_neg())
    torch.set_default_device("meta")
    try:
        with np.errstate(all="raise"):
            found = call(array), call(view)
    finally:
        torch.set_default_device(None)
    assert all(map(np.array_equal, found, wanted))


CASES = [
    row_after_a_hash,
    header_of_numbers,
    index_in_parquet,
    line_break_in_a_quoted_name,
    underscore_in_a_number,
    missing_end_of_an_edge,
    empty_name_in_json,
    file_of_the_user_beside_out,
    matrix_inside_a_group,
    samples_beyond_the_arrays,
    array_of_another_dtype,
    numpy_that_raises_on_underflow,
    default_device_of_torch,
    lazy_negative_view,
    two_processes_on_one_output,
    folder_of_the_user_beside_out,
    two_captures_to_one_store,
    lock_of_a_process_that_was_killed,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_outcome_is_right_or_a_clear_error(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert case()
