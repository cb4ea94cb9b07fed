"""Stores of observations, small and awkward."""

import hashlib
import os
import re
from pathlib import Path

import numpy as np

from gsnn_edges.store import StoreWriter

PAIRS, SAMPLES, COLUMNS = 3, 101, 23


def draw(seed=0, pairs=PAIRS, samples=SAMPLES, columns=COLUMNS):
    """Tied activations, and gradients that go with some of them; a constant column on each side."""
    rng = np.random.default_rng(seed)
    a, noise = rng.standard_normal((2, pairs, samples, columns), np.float32)
    g = noise + a[..., ::-1]
    a, g[..., 1] = np.maximum(a, 0), 2
    a[..., 5] = 0
    g[..., 2] = np.round(g[..., 2])
    return a, g


def write_store(path, a, g, **metadata):
    """Write observations (P, S, C) to a store."""
    shape = dict(zip(("pairs", "samples", "columns"), a.shape, strict=True))
    metadata = {"unit": 40, "dtype": str(a.dtype), **metadata}
    writer = StoreWriter.create(path, **shape, **metadata)
    for unit in writer.missing:
        top, bottom = writer.rows_of(unit)
        writer.put(unit, a[:, top:bottom], g[:, top:bottom])
    return writer.finish()


def digest(folder):
    """All files below a folder, and what is in them, but for the times that a sidecar knows."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    times = re.compile(rb'"changed": \d+')
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            times.sub(b"", path.read_bytes()) if path.name.endswith(".npy.json")
            else path.read_bytes()
        ).hexdigest()
        for path in paths
    }  # fmt: skip


class Disk:
    """Counts what is put on the disk itself; one that is full takes no more than ``room``."""

    def __init__(self, monkeypatch, room=None):
        self.count, self.room, self.fsync = 0, room, os.fsync
        monkeypatch.setattr(os, "fsync", self.take)

    def take(self, handle):
        self.count += 1
        if self.room is not None and self.count > self.room:
            raise OSError(28, "No space left on device")
        self.fsync(handle)
