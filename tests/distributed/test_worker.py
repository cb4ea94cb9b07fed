"""The process that computes, without others."""

import json

import jax
import numpy as np
import pytest
from jobs import JOB
from numpy.testing import assert_array_equal

from gsnn_edges.distributed import worker
from gsnn_edges.distributed.journal import Output
from gsnn_edges.sharded.placement import one_each
from gsnn_edges.store import open_store


@pytest.fixture
def output(tmp_path):
    made = Output(tmp_path / "W.zarr", {"nodes": 10})
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
    side = worker.side_of(open_store(path), "a", one_each(37), (1, 3))
    assert_array_equal(side.read((2, 9), (5, 8)), a[1:3, 2:9, 5:8])
    assert side.pairs == 2


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
