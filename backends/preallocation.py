"""What JAX holds of a GPU's memory, which torch on the same card misses; and what is left to it."""

import os
import sys
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

VARIABLE = "XLA_PYTHON_CLIENT_PREALLOCATE"
ALLOCATOR = "XLA_PYTHON_CLIENT_ALLOCATOR"
# Shares of a card, of which whoever sets one has decided how much torch is left.
FRACTIONS = ("XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION")
# Of the memory that JAX may take, more than this beyond what its arrays need was taken ahead.
AHEAD = 0.5


def preallocated(environment: Mapping[str, str], stats: Mapping[str, int] | None) -> bool:
    """Tell from JAX's settings and its account of a GPU whether it takes memory ahead.

    Parameters
    ----------
    environment
        As ``os.environ``. Settings come first: a pool that has grown was not taken ahead.
    stats
        ``device.memory_stats()``. Before JAX's first array its pool is empty, and the settings say
        what will come.

    Examples
    --------
    >>> preallocated({}, None)
    True
    >>> preallocated({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, None)
    False
    """
    asked_not_to = environment.get(VARIABLE, "true").lower() in ("false", "0")
    grows = environment.get(ALLOCATOR, "default") not in ("default", "bfc")
    if asked_not_to or grows or any(environment.get(name) for name in FRACTIONS):
        return False
    stats = stats or {}
    if not stats.get("pool_bytes") or not stats.get("bytes_limit"):
        return True
    return stats["pool_bytes"] - stats.get("bytes_in_use", 0) > AHEAD * stats["bytes_limit"]


def sentence(stats: Mapping[str, int] | None) -> str:
    """Say what is taken and what can be done."""
    limit = (stats or {}).get("bytes_limit")
    amount = "most of the memory of the GPU" if limit is None else f"{limit:,} bytes of the GPU"
    return (
        f"JAX has set {amount} aside for itself, which torch on the same card cannot use: set "
        f"{VARIABLE}=false, or XLA_PYTHON_CLIENT_MEM_FRACTION to a share, before JAX is first "
        "used; this package changes neither"
    )


def warn_of_preallocation(device: Any) -> None:
    """Say once that JAX has taken memory of a device that torch will miss."""
    stats = device.memory_stats()
    if preallocated(os.environ, stats):
        warn_once(sentence(stats))


@lru_cache
def warn_once(text: str) -> None:
    """Warn of each thing once in a process."""
    warnings.warn(text, stacklevel=2)


def bytes_to_be_had(stats: Mapping[str, int], card: int | None) -> int | None:
    """Give what JAX can still take of a GPU; ``card`` are the bytes that nobody holds, if known.

    Its pool is its own; beyond that it grows by what others have left.

    Examples
    --------
    >>> bytes_to_be_had({"bytes_limit": 75, "pool_bytes": 10, "bytes_in_use": 4}, 20)
    26
    """
    if "bytes_limit" not in stats:
        return None
    limit, used = stats["bytes_limit"], stats.get("bytes_in_use", 0)
    pool = max(used, stats.get("pool_bytes", 0))
    growth = max(0, limit - pool)
    return pool - used + (growth if card is None else min(growth, card))


def card_bytes(number: int) -> int | None:
    """Give the bytes of a CUDA device that nobody holds; torch can tell, where it is at work.

    JAX cannot, and to load torch for it would take memory of the card.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free: int = torch.cuda.mem_get_info(number)[0]
    return free
