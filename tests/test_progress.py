"""Progress goes to standard error, and only where it is asked for."""

import subprocess
import sys

import pytest

from gsnn_edges._progress import track, watched


@pytest.mark.parametrize("verbose", [True, False])
def test_items_come_through_and_the_bar_only_if_asked_for(verbose, capsys):
    assert list(track(iter("abc"), 3, "letters", verbose=verbose)) == ["a", "b", "c"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("letters" in shown.err) is verbose


@pytest.mark.parametrize(
    ("shown", "items", "bar"), [(True, "abc", True), (True, "a", False), (False, "abc", False)]
)
def test_a_loop_that_is_not_asked_shows_a_bar_where_it_is_watched(shown, items, bar, capsys):
    with watched(shown):
        assert list(track(items, len(items), "letters", verbose=None)) == [*items]
    assert ("letters" in capsys.readouterr().err) is bar
    assert list(track("abc", 3, "letters", verbose=None)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_the_users_random_numbers_do_not_move():
    code = (
        "import random; random.seed(1); before = random.getstate()\n"
        "from gsnn_edges._progress import track\n"
        "list(track(range(3), 3, 'x', verbose=True)); assert random.getstate() == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
