"""Rows come back as they were written, whatever the stretch."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.scale.rows import HeldRows, RowFile

SHAPE = (7, 23)


def held(tmp_path, stretch):
    return HeldRows.empty(SHAPE, "float32", stretch)


def on_disk(tmp_path, stretch):
    rows = RowFile(tmp_path / "rows", SHAPE, np.dtype("float32"), stretch)
    rows.prepare()
    return rows


@pytest.mark.parametrize("make", [held, on_disk])
@pytest.mark.parametrize("stretch", [1, 5, 23, 100])
def test_stretches_are_those_of_the_rows(tmp_path, make, stretch):
    values = np.random.default_rng(0).random(SHAPE, np.float32)
    rows = make(tmp_path, stretch)
    for low, high in ((4, 7), (0, 4)):
        rows.write(low, values[low:high])
    assert rows.stretches == -(-23 // stretch)
    joined = [rows.read(number, 2, 6) for number in range(rows.stretches)]
    assert_array_equal(np.concatenate(joined, axis=1), values[2:6])


def test_a_file_knows_whether_it_is_whole(tmp_path):
    rows = RowFile(tmp_path / "rows", SHAPE, np.dtype("float64"), 5)
    assert not rows.is_whole()
    rows.prepare()
    assert rows.is_whole()
    assert rows.path.stat().st_size == 7 * 23 * 8
    with rows.path.open("r+b") as file:
        file.truncate(100)
    assert not rows.is_whole()
    with pytest.raises(OSError, match="it was cut short while it was read: call again with resume"):
        rows.read(4, 0, 7)
