"""Amounts of memory are read as people write them."""

import pytest

from gsnn_edges.memory import bytes_of, in_words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (12, 12),
        ("12", 12),
        ("12 B", 12),
        ("2GB", 2 * 10**9),
        (" 500 MB ", 5 * 10**8),
        ("1.5 GiB", 3 * 2**29),
        ("64mib", 2**26),
        ("1KB", 1000),
        ("3 TiB", 3 * 2**40),
    ],
)
def test_units(text, count):
    assert bytes_of("max_memory", text) == count


@pytest.mark.parametrize(
    ("amount", "error", "phrase"),
    [
        ("2 parsecs", ValueError, "number with a unit such as '2GB'"),
        ("GB", ValueError, "got 'GB'"),
        ("-2GB", ValueError, "max_memory must be bytes"),
        ("0GB", ValueError, "at least 1"),
        (0, ValueError, "at least 1; got 0 bytes"),
        (2.5, TypeError, "must be a whole number"),
        (None, TypeError, "must be a whole number"),
    ],
)
def test_bad_amounts_are_explained(amount, error, phrase):
    with pytest.raises(error, match=phrase):
        bytes_of("max_memory", amount)


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1KB"), (10**6, "1MB"), (2.5e9, "2500MB"), (10**10, "10GB")]
)
def test_in_words(count, text):
    assert in_words(count) == text
    assert bytes_of("max_memory", in_words(count)) >= count
