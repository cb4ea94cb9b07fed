"""W on disk while it is written."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges.scale.multihost_journal import Output
from gsnn_edges.store import open_matrix
from gsnn_edges.store.matrix import create_matrix, write_attributes

SETTINGS = {"method": "spearman", "observations": "0"}


@pytest.fixture
def output(tmp_path):
    made = Output(tmp_path / "W.zarr", SETTINGS, 10)
    made.folder.mkdir()
    made.begin(3, resume=True)
    return made


def test_nothing_is_finished_at_first(output):
    assert output.chunk_rows() == 3
    assert not output.finished().any()
    assert not output.complete()
    assert output.progress() == f"finished blocks 0 of 4 are kept in {output.folder}"


def test_notes_of_all_processes_count_and_torn_ones_do_not(output):
    output.note(0, 0, 3)
    output.note(1, 3, 6)
    with output.notes(1).open("a") as file:
        file.write("6 9")
    assert_array_equal(output.finished(), np.arange(10) < 6)
    output.mend(1)
    output.note(1, 9, 10)
    assert_array_equal(output.finished(), (np.arange(10) < 6) | (np.arange(10) == 9))
    assert output.progress().startswith("finished blocks 3 of 4")


def test_a_second_call_goes_on_with_the_first_ones_blocks(output):
    output.put(0, np.full((3, 10), 7, np.float32))
    output.note(0, 0, 3)
    output.begin(5, resume=True)
    assert output.chunk_rows() == 3
    assert_array_equal(zarr.open_array(str(output.unfinished))[0:3], np.full((3, 10), 7))
    output.begin(5, resume=False)
    assert output.chunk_rows() == 5
    assert not output.finished().any()
    # Notes of the first W are there still, and are not those of the second.
    assert len(list(output.folder.glob("rows-*.txt"))) == 1


def test_whole_w_stands_in_its_place(output):
    output.put(0, np.eye(10, dtype=np.float32))
    output.finish()
    assert output.complete()
    assert_array_equal(open_matrix(output.path).to_numpy(), np.eye(10, dtype=np.float32))
    assert output.progress() == "no block is finished yet"


@pytest.mark.parametrize("finish", [False, True])
def test_other_settings_are_refused(output, finish):
    if finish:
        output.finish()
    other = Output(output.path, SETTINGS | {"method": "pearson"}, 10)
    with pytest.raises(ValueError, match="method was 'spearman' and is 'pearson'"):
        other.check(resume=True)
    other.check(resume=False)
    output.check(resume=True)


def test_what_is_not_ours_is_refused(tmp_path):
    (tmp_path / "W.zarr").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else: give another path"):
        Output(tmp_path / "W.zarr", SETTINGS, 10).check(resume=False)


def test_w_that_correlate_store_made_is_taken(tmp_path):
    create_matrix(tmp_path / "W.zarr", 10, "float32", (10, 10))
    write_attributes(tmp_path / "W.zarr", {"made": SETTINGS})
    Output(tmp_path / "W.zarr", SETTINGS, 10).check(resume=True)
    other = Output(tmp_path / "W.zarr", SETTINGS | {"method": "pearson"}, 10)
    with pytest.raises((ValueError, FileExistsError), match="method was 'spearman'"):
        other.check(resume=True)
