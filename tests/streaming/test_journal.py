"""A journal knows what is done, whatever moment a process was killed at."""

import json

import pytest

from gsnn_edges.streaming.journal import DONE, Journal, differences, write_json

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


def test_facts_are_written_whole(tmp_path):
    path = tmp_path / "facts.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
