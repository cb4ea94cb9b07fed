"""Progress goes to standard error, where it is asked for, and moves no random numbers."""

import random

import numpy as np
import pytest

from gsnn_edges import permutation_test

A = np.random.default_rng(0).standard_normal((20, 3))


@pytest.mark.parametrize("verbose", [True, False])
def test_a_bar_is_shown_where_it_is_asked_for(verbose, capsys):
    before = random.getstate()
    permutation_test(A, A, 10, n_resamples=2, seed=0, verbose=verbose)
    shown = capsys.readouterr()
    assert (shown.out, bool(shown.err)) == ("", verbose)
    assert random.getstate() == before
