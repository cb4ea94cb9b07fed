"""A journal knows what is done, whatever moment a process was killed at."""

import pytest

from gsnn_edges.scale.journal import DONE, FACTS, Journal, differences

SETTINGS = {"method": "spearman", "top": None}


def test_marks_are_there_for_the_next_call(tmp_path):
    first = Journal.begin(tmp_path / "work", SETTINGS, {"tile": 3})
    for number in (2, 5):
        first.mark("tile", number)
    first.mark("ranked", 0)
    second = Journal.begin(tmp_path / "work", SETTINGS, {"tile": 4})
    assert second.done("tile") == {2, 5}
    assert second.done("ranked") == {0}
    assert second.plan == {"tile": 3}


def test_half_a_line_is_not_a_mark(tmp_path):
    journal = Journal.begin(tmp_path, SETTINGS, {})
    journal.mark("tile", 1)
    with (tmp_path / DONE).open("a") as file:
        file.write("tile 12")
    journal = Journal.begin(tmp_path, SETTINGS, {})
    journal.mark("tile", 3)
    assert journal.done("tile") == {1, 3}


def test_other_settings_are_named(tmp_path):
    Journal.begin(tmp_path, SETTINGS, {})
    with pytest.raises(ValueError, match="method was 'spearman' and is 'pearson', top was None"):
        Journal.begin(tmp_path, {"method": "pearson", "top": 3}, {})
    assert differences(SETTINGS, SETTINGS) == []


def test_notes_of_a_job_that_is_gone_count_for_nothing(tmp_path):
    old = Journal.begin(tmp_path, SETTINGS, {})
    old.mark("tile", 1)
    (tmp_path / FACTS).unlink()  # as a process that was killed while it removed all of it leaves
    new = Journal.begin(tmp_path, {"method": "pearson", "top": None}, {})
    assert new.run != old.run
    assert new.done("tile") == set()


@pytest.mark.parametrize("name", [FACTS, DONE])
@pytest.mark.parametrize("text", ["", "[]", "{}", "run 0\n"])
def test_a_broken_journal_is_explained(tmp_path, name, text):
    Journal.begin(tmp_path, SETTINGS, {}).mark("tile", 1)
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="is broken: give resume=False to begin anew"):
        Journal.begin(tmp_path, SETTINGS, {})
