"""When JAX has taken memory ahead, by its settings and its account; and what it can still have."""

import sys
from types import SimpleNamespace

import pytest

from gsnn_edges.backends import preallocation
from gsnn_edges.backends.preallocation import (
    bytes_to_be_had,
    card_bytes,
    preallocated,
    sentence,
    warn_of_preallocation,
)

POOL = {"bytes_limit": 1000, "bytes_in_use": 10}
FULL = {**POOL, "pool_bytes": 1000}


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
        ({}, FULL, True),
        ({}, {**POOL, "pool_bytes": 20}, False),
        ({}, {**FULL, "bytes_in_use": 900}, False),
        # Before the first array of JAX.
        ({}, {"bytes_limit": 1000, "bytes_in_use": 0, "pool_bytes": 0}, True),
        # A pool that has grown, or that the user has measured out.
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, FULL, False),
        ({"XLA_PYTHON_CLIENT_MEM_FRACTION": ".2"}, FULL, False),
        ({"XLA_CLIENT_MEM_FRACTION": ".2"}, FULL, False),
        ({"XLA_CLIENT_MEM_FRACTION": ""}, FULL, True),
    ],
)
def test_settings_come_first_and_then_the_account(environment, stats, expected):
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


@pytest.fixture
def device(monkeypatch):
    """A GPU whose pool is that of JAX's defaults, whatever is set where the tests run."""
    for name in (preallocation.VARIABLE, preallocation.ALLOCATOR, *preallocation.FRACTIONS):
        monkeypatch.delenv(name, raising=False)
    preallocation.warn_once.cache_clear()
    yield SimpleNamespace(memory_stats=lambda: FULL)
    preallocation.warn_once.cache_clear()


def test_memory_taken_ahead_is_told_once(device):
    with pytest.warns(UserWarning, match="JAX has set 1,000 bytes .* XLA_PYTHON_CLIENT_PREALLOCA"):
        warn_of_preallocation(device)
    warn_of_preallocation(device)


def test_nothing_to_tell_is_asked_again(device):
    full = device.memory_stats
    device.memory_stats = lambda: {**FULL, "bytes_in_use": 900}
    warn_of_preallocation(device)
    device.memory_stats = full
    with pytest.warns(UserWarning, match="JAX has set"):
        warn_of_preallocation(device)


@pytest.mark.parametrize(
    ("stats", "card", "expected"),
    [
        ({}, 50, None),
        ({**POOL}, None, 990),
        (FULL, None, 990),
        (FULL, 0, 990),
        ({**POOL, "pool_bytes": 100}, None, 990),
        ({**POOL, "pool_bytes": 100}, 50, 140),
        ({**POOL, "pool_bytes": 100}, 10**6, 990),
        ({**POOL, "pool_bytes": 0}, 50, 50),
    ],
)
def test_the_pool_is_had_and_what_others_leave(stats, card, expected):
    assert bytes_to_be_had(stats, card) == expected


@pytest.mark.parametrize(("at_work", "expected"), [(True, 7), (False, None)])
def test_torch_tells_what_nobody_holds_where_it_is_at_work(at_work, expected, monkeypatch):
    cuda = SimpleNamespace(is_initialized=lambda: at_work, mem_get_info=lambda number: (7, 9))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert card_bytes(0) == expected


def test_without_torch_nobody_tells(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert card_bytes(0) is None
