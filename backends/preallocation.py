"""Whether JAX holds most of a GPU's memory, which torch on the same card would miss."""

from collections.abc import Mapping

VARIABLE = "XLA_PYTHON_CLIENT_PREALLOCATE"
ALLOCATOR = "XLA_PYTHON_CLIENT_ALLOCATOR"
# Of the memory that JAX may take, more than this beyond what its arrays need was taken ahead.
AHEAD = 0.5


def preallocated(environment: Mapping[str, str], stats: Mapping[str, int] | None) -> bool:
    """Tell from JAX's settings and its account of a GPU whether it takes memory ahead.

    Parameters
    ----------
    environment
        As ``os.environ``.
    stats
        ``device.memory_stats()``; without its ``pool_bytes`` the settings alone decide.

    Examples
    --------
    >>> preallocated({}, None)
    True
    >>> preallocated({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, None)
    False
    """
    stats = stats or {}
    if "pool_bytes" in stats and stats.get("bytes_limit", 0) > 0:
        ahead = stats["pool_bytes"] - stats.get("bytes_in_use", 0)
        return ahead > AHEAD * stats["bytes_limit"]
    asked_not_to = environment.get(VARIABLE, "true").lower() in ("false", "0")
    return not asked_not_to and environment.get(ALLOCATOR, "default") in ("default", "bfc")


def sentence(stats: Mapping[str, int] | None) -> str:
    """Say what is taken and what can be done."""
    limit = (stats or {}).get("bytes_limit")
    amount = "most of the memory of the GPU" if limit is None else f"{limit:,} bytes of the GPU"
    return (
        f"JAX has set {amount} aside for itself, which torch on the same card cannot use: set "
        f"{VARIABLE}=false, or XLA_PYTHON_CLIENT_MEM_FRACTION to a share, before JAX is first "
        "used; this package changes neither"
    )
