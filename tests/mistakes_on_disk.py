"""What goes wrong on a Wednesday, when it no longer fits in memory: more rows of the table."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from gsnn_models import TinyGSNN, data
from torch.utils.data import DataLoader, TensorDataset
from wrong_calls import Wrong

from gsnn_edges import capture_to_store, correlate_store, open_store
from gsnn_edges.scale import plan
from gsnn_edges.store import open_matrix

MODEL = TinyGSNN().eval()
MSE = torch.nn.MSELoss()
X, Y = data(12)
SHUFFLED = DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True)
FOLDER = TemporaryDirectory(prefix="mistakes-")
ROOM = Path(FOLDER.name)


@cache
def seen():
    """A store of 12 samples and 6 nodes."""
    return capture_to_store(ROOM / "seen.zarr", MODEL, MSE, X, Y).path


@cache
def of_channels():
    even = TinyGSNN([[0, 1, 2, 3, 4, 5]] * 3).eval()
    return capture_to_store(ROOM / "channels.zarr", even, MSE, X, Y, score="channels").path


@cache
def cut_short():
    """A store of which a file has lost its end."""
    path = capture_to_store(ROOM / "short.zarr", MODEL, MSE, X, Y).path
    largest = max(path.glob("g/**/*"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-5])
    return path


@cache
def newer():
    """A store of a version that is yet to come."""
    path = capture_to_store(ROOM / "newer.zarr", MODEL, MSE, X, Y).path
    facts = json.loads((path / "zarr.json").read_text())
    facts["attributes"]["format_version"] = 99
    (path / "zarr.json").write_text(json.dumps(facts))
    return path


@cache
def file(name, content):
    """A file or, without content, an empty folder."""
    path = ROOM / name
    if content is None:
        path.mkdir()
    elif isinstance(content, str):
        path.write_text(content)
    else:
        np.save(path, np.array(content))
    return path


def captured(name, error, phrase, *arguments, **options):
    def call():
        capture_to_store(ROOM / "new.zarr", *(arguments or (MODEL, MSE, X, Y)), **options)

    return Wrong(name, "capture_to_store", call, error, phrase, MODEL)


def streamed(name, error, phrase, out="W.zarr", store=seen, **options):
    def call():
        correlate_store(store(), None if out is None else ROOM / out, **options)

    return Wrong(name, "correlate_store", call, error, phrase)


def opened(name, error, phrase, path):
    return Wrong(name, "open_store", lambda: open_store(path()), error, phrase)


def looked_at(name, error, phrase, path):
    return Wrong(name, "open_matrix", lambda: open_matrix(path()), error, phrase)


def planned(name, error, phrase, *arguments, **options):
    return Wrong(name, "plan", lambda: plan(*arguments, **options), error, phrase)


ON_DISK = [
    captured("a shuffled loader", ValueError, "shuffle=False", MODEL, MSE, SHUFFLED),
    captured("y beside a loader", TypeError, "y and batch_size must be left out", MODEL,
             MSE, SHUFFLED, Y),
    captured("W for a score", ValueError, "score must be one of .*'auto'", score="auto"),
    captured("y too short", ValueError, "got 12 and 10", MODEL, MSE, X, Y[:-2]),
    captured("a seed below 0", ValueError, "seed must be at least 0; got -2", seed=-2),
    captured("resume by name", TypeError, "resume must be True or False; got 'yes'", resume="yes"),
    captured("no batch", ValueError, "batch_size must be at least 1; got 0", batch_size=0),
    streamed("W in a table", ValueError, r"out must end with .zarr or .npy .*W.csv", "W.csv"),
    streamed("nowhere for W", ValueError, "out must name a .zarr or a .npy", None),
    streamed("a store that is not there", FileNotFoundError, "gone.zarr",
             store=lambda: "gone.zarr"),
    streamed("memory in words", ValueError, "max_memory must be .*'a lot'", max_memory="a lot"),
    streamed("no memory", ValueError, "max_memory must hold a node", max_memory="100 B"),
    streamed("the strongest and the strong", ValueError, "top and threshold must not both", None,
             top=2, threshold=0.5),
    streamed("no target", ValueError, "top must be at least 1; got 0", None, top=0),
    streamed("a share as a text", TypeError, "threshold must be a number.*'0.5'", None,
             threshold="0.5"),
    streamed("components of nodes", ValueError, "n_components=2 needs a store of score='channels'",
             n_components=2),
    streamed("a layer pair that is not there", ValueError, "layer pair in 0 .. 1; got 5", layers=5),
    streamed("half a direction", TypeError, "n_components must be a whole number; got 1.5",
             store=of_channels, n_components=1.5),
    opened("a wrong path", FileNotFoundError, "path must be a store.*nothing.zarr",
           lambda: ROOM / "nothing.zarr"),
    opened("a number", TypeError, "path must be a text or a path; got int", lambda: 3),
    opened("a file of text", ValueError, "path must be a store", lambda: file("notes.txt", "n")),
    opened("another folder", ValueError, "path must be a store", lambda: file("empty", None)),
    opened("a file cut short", ValueError, "path .*short.zarr", cut_short),
    opened("a store of tomorrow", ValueError, "format version .*99: install a newer", newer),
    looked_at("a wrong path", FileNotFoundError, "path must be a matrix.*none.npy",
              lambda: ROOM / "none.npy"),
    looked_at("a number", TypeError, "path must be a text or a path; got float", lambda: 0.5),
    looked_at("a file of text", ValueError, "path must be .*words.npy",
              lambda: file("words.npy", "W")),
    looked_at("a vector", ValueError, "path must be a matrix.*row.npy",
              lambda: file("row.npy", (0.1, 0.2))),
    looked_at("whole numbers", ValueError, "path must be .*whole.npy",
              lambda: file("whole.npy", ((1, 2), (3, 4)))),
    looked_at("a store of observations", ValueError, "path must be a whole .npy file or zarr",
              seen),
    planned("nodes as a text", TypeError, "nodes must be a whole number; got '10k'", "10k", 100),
    planned("no observations", ValueError, "observations must be at least 2; got 0", 10, 0),
    planned("no device", ValueError, "devices must be at least 1; got 0", 10, 100, devices=0),
    planned("memory in words", ValueError, "memory must be .*'plenty'", 10, 100, memory="plenty"),
    planned("a backend that is none", ValueError, "backend must be one of .*'dask'", 10, 100,
            backend="dask"),
    planned("half a channel", TypeError, "channels must be a whole number; got 0.5", 10, 100,
            channels=0.5),
    planned("whole numbers", ValueError, "precision must be one of .*'int8'", 10, 100,
            precision="int8"),
]  # fmt: skip
