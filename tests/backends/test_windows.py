"""Windows cover the range, are of one size, and never larger than allowed."""

from hypothesis import given
from hypothesis import strategies as st

from gsnn_edges.backends.windows import windows


@given(st.integers(0, 500), st.integers(1, 600))
def test_windows_cover_the_range_by_one_size(count, limit):
    found = list(windows(count, limit))
    covered = {index for start, stop in found for index in range(start, stop)}
    assert covered == set(range(count))
    assert len({stop - start for start, stop in found}) == (1 if count else 0)
    assert all(stop - start <= limit for start, stop in found)
    assert len(found) == -(-count // limit)
