"""The process that computes, without others."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from jobs import JOB, SETTINGS
from numpy.testing import assert_array_equal

from gsnn_edges.scale import worker
from gsnn_edges.scale.multihost_journal import Output
from gsnn_edges.sharded import one_column_each
from gsnn_edges.store import open_store


@pytest.fixture
def output(tmp_path):
    made = Output(tmp_path / "W.zarr", SETTINGS, 10)
    made.folder.mkdir()
    made.begin(2, resume=True)
    return made


def test_rounds_that_are_not_finished_begin_anew(output):
    output.note(0, 0, 2)
    output.note(1, 2, 4)
    output.note(0, 4, 6)
    # Three rounds of four rows, the last one cut off; half of the second is missing.
    assert_array_equal(np.flatnonzero(worker.rounds(output, 2)), [4, 8])
    assert_array_equal(np.flatnonzero(worker.rounds(output, 1)), [6, 8])


def test_a_side_reads_layer_pairs_apart(make_store):
    path, a, _ = make_store(pairs=3)
    side = worker.side_of(open_store(path), "a", one_column_each(37), (1, 3))
    assert_array_equal(side.read((2, 9), (5, 8)), a[1:3, 2:9, 5:8])
    assert side.pairs == 2


@pytest.mark.parametrize(
    ("unit", "devices", "expected"),
    [
        (10, 2, {(0, 60), (60, 103)}),
        (10, 8, {(0, 20), (20, 40), (40, 60), (60, 80), (80, 100), (100, 103)}),
        (50, 8, {(first, min(first + 13, 103)) for first in range(0, 103, 13)}),
    ],
)
def test_devices_read_units_that_no_other_reads(make_store, unit, devices, expected):
    path, _, _ = make_store(pairs=1, samples=103, columns=3, unit=unit)
    side = worker.side_of(open_store(path), "a", one_column_each(3), (0, 1))
    each, read = side.each(devices), set()
    counting = replace(side, read=lambda samples, columns: read.add(samples) or side.read(
        samples, columns
    ))  # fmt: skip
    for device in range(devices):
        counting._filled(np.arange(3), (device * each, (device + 1) * each))
    assert read == expected


def test_a_disk_that_is_not_shared_is_found(output, monkeypatch):
    monkeypatch.setattr(worker, "VISIBLE", 0.2)
    worker.check_shared(output, output.run())
    with pytest.raises(ValueError, match=r"does not find in .* what process 0 has made there"):
        worker.check_shared(output, "another")


def test_the_devices_of_a_cluster_are_settled_before_jax_does(monkeypatch):
    asked = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **given: asked.append(given))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    worker.join(replace(JOB, processes=None))
    worker.join(replace(JOB, processes=2, process=1, coordinator="here:1"))
    assert [given["local_device_ids"] for given in asked] == [[], None]


def test_errors_of_the_runtime_are_told_from_others():
    with pytest.raises(worker.RuntimeLost) as caught, worker.computing():
        raise ValueError("UNKNOWN: Gloo failed")
    assert str(caught.value.__cause__) == "UNKNOWN: Gloo failed"


def test_messages_are_lines(capsys):
    worker.say("progress", done=1, total=2)
    said = capsys.readouterr().out
    assert said.startswith('{"kind"')
    assert json.loads(said) == {"kind": "progress", "done": 1, "total": 2}


def test_devices_of_a_process_stand_side_by_side():
    assert list(worker.process_mesh().devices) == jax.devices()


def test_one_process_joins_nobody(make_store):
    worker.join(JOB)
    assert not jax.distributed.is_initialized()
