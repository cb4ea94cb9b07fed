"""Some two hundred calls give what they gave before."""

import numpy as np
import pytest

from . import stored


@pytest.fixture(scope="module")
def kept():
    return dict(np.load(stored.FILE))


@pytest.mark.parametrize("name", stored.CASES)
def test_what_is_kept(name, kept, tmp_path):
    assert list(stored.differences(name, stored.run(name, tmp_path), kept)) == []


def test_nothing_is_kept_of_other_calls(kept):
    assert {key.rpartition(" | ")[0] for key in kept} == set(stored.CASES)
