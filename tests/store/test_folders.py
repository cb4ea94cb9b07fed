import pytest

from gsnn_edges.store.folders import checked_path, missing_units, unit_file


def test_units_are_whole_files_of_the_length_that_the_facts_say(store):
    sizes = {unit_file(store.path, side, k).stat().st_size for side in "ag" for k in range(3)}
    assert sizes == {store.facts.unit_bytes}


def test_a_unit_of_which_one_side_is_there_is_missing(store):
    unit_file(store.path, "g", 1).unlink()
    assert missing_units(store.path, store.facts) == [1]


def test_no_path():
    with pytest.raises(TypeError, match="path must be a text or a path; got NoneType"):
        checked_path(None)
