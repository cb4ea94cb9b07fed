"""When JAX has taken memory ahead, by its account or else by its settings."""

import pytest

from gsnn_edges.backends.preallocation import preallocated, sentence

POOL = {"bytes_limit": 1000, "bytes_in_use": 10}


@pytest.mark.parametrize(
    ("environment", "stats", "expected"),
    [
        ({}, None, True),
        ({}, {}, True),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "true"}, None, True),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "False"}, None, False),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "0"}, None, False),
        ({"XLA_PYTHON_CLIENT_ALLOCATOR": "platform"}, None, False),
        ({"XLA_PYTHON_CLIENT_ALLOCATOR": "bfc"}, None, True),
        ({}, {**POOL, "pool_bytes": 1000}, True),
        ({}, {**POOL, "pool_bytes": 20}, False),
        ({}, {**POOL, "pool_bytes": 1000, "bytes_in_use": 900}, False),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, {**POOL, "pool_bytes": 1000}, True),
    ],
)
def test_the_account_comes_first(environment, stats, expected):
    assert preallocated(environment, stats) is expected


@pytest.mark.parametrize(
    ("stats", "amount"),
    [(None, "most of the memory of the GPU"), ({"bytes_limit": 75_000}, "75,000 bytes of the GPU")],
)
def test_the_sentence_gives_amount_and_way_out(stats, amount):
    text = sentence(stats)
    assert amount in text
    assert "XLA_PYTHON_CLIENT_PREALLOCATE=false" in text
    assert "changes neither" in text
