"""A process that the system ends puts away what it began."""

import signal
import threading

import pytest

from gsnn_edges.cli.main import Terminated, ending_in_order


def test_the_signal_is_an_exception_and_the_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left, ending_in_order():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_set_no_handler():
    found = []

    def work():
        with ending_in_order():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_it_says_what_happened():
    assert str(Terminated()) == "the system ended it (signal 15)"
