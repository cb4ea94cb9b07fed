"""Progress goes to standard error, and only where it is asked for."""

import pytest

from gsnn_edges.progress import track


@pytest.mark.parametrize("verbose", [True, False])
def test_items_come_through_and_the_bar_only_if_asked_for(verbose, capsys):
    assert list(track(iter("abc"), 3, "letters", verbose=verbose)) == ["a", "b", "c"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("letters" in shown.err) is verbose
