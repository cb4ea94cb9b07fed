"""Results on standard output, the rest on standard error."""

import json
import sys
from functools import partial

import pytest
from rich.console import Console

from gsnn_edges.cli import console as screen
from gsnn_edges.cli.console import Screen

COLUMNS = {"name": ["a[b]", "c"], "score": [0.5, 2], "none": ["", None]}


def test_a_table_has_its_numbers_to_the_right_and_no_empty_column(capsys):
    Screen().table(COLUMNS, "title")
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "title",
        "name    score",
        "─────────────",
        "a[b]   0.5000",
        "c           2",
        "",
    ]


def test_names_are_not_cut_where_nobody_looks(capsys):
    Screen().table({"name": ["n" * 150], "score": [1.0]})
    assert "n" * 150 in capsys.readouterr().out


@pytest.mark.parametrize("screen", [Screen(level=-1), Screen(as_json=True)])
def test_tables_are_for_readers(screen, capsys):
    screen.table(COLUMNS)
    screen.say("text")
    assert capsys.readouterr().out == ""


def test_json_is_the_only_thing_on_standard_output(capsys):
    screen = Screen(as_json=True)
    with screen.work():
        print("chatter of a model")
    screen.facts({"mrr": 0.5})
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"mrr": 0.5}
    assert shown.err == "chatter of a model\n"


def test_facts_are_for_scripts(capsys):
    Screen().facts({"mrr": 0.5})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("level", "shown"), [(0, ""), (1, "reading\n"), (-1, "")])
def test_notes_come_with_verbose(level, shown, capsys):
    Screen(level=level).note("reading")
    assert capsys.readouterr().err == shown


@pytest.mark.parametrize(
    ("level", "terminal", "shown"),
    [(0, True, True), (0, False, False), (1, False, True), (-1, True, False)],
)
def test_progress_is_for_a_terminal_or_on_request(level, terminal, shown, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert Screen(level=level).progress is shown


def narrow(width, stream):
    return Console(file=stream, width=width, highlight=False)


@pytest.mark.parametrize("width", [20, 40])
def test_numbers_are_never_folded_or_cut(width, monkeypatch, capsys):
    monkeypatch.setattr(screen, "console_of", partial(narrow, width))
    names = ["a very long name of a node that has to be folded", "b"]
    Screen().table({"source": names, "score": [0.123456, 2.0], "interval": ["[0.1, 0.2]", "-"]})
    shown = capsys.readouterr().out
    assert "0.1235" in shown
    assert "[0.1, 0.2]" in shown
