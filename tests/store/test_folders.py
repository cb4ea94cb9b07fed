import pytest

from gsnn_edges.store.folders import checked_path, digests_of, missing_units, note_file, unit_file


def test_units_are_whole_files_of_the_length_that_the_facts_say(store):
    sizes = {unit_file(store.path, side, k).stat().st_size for side in "ag" for k in range(3)}
    assert sizes == {store.facts.unit_bytes}


def test_a_unit_of_which_one_side_is_there_is_missing(store):
    unit_file(store.path, "g", 1).unlink()
    assert missing_units(store.path, store.facts) == [1]


def test_a_unit_that_nobody_vouches_for_is_missing(store):
    note_file(store.path, 2).unlink()
    assert missing_units(store.path, store.facts) == [2]


@pytest.mark.parametrize("text", ["", "[]", '{"a": "0"}'])
def test_a_broken_note_is_an_error(store, text):
    note_file(store.path, 1).write_text(text)
    with pytest.raises(ValueError, match=r"unit.json' is broken: remove that file, .* unit 1 anew"):
        digests_of(store.path, 1)


def test_no_path():
    with pytest.raises(TypeError, match="path must be a text or a path; got NoneType"):
        checked_path(None)
