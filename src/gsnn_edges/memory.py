"""Amounts of memory as people write them."""

import re
from typing import Any

from gsnn_edges import _validation

UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
}


def bytes_of(name: str, amount: Any) -> int:
    """Give an amount of memory in bytes.

    Parameters
    ----------
    name : str
        The argument's name, for errors.
    amount : int or str
        Bytes, or a number with a unit: ``"2GB"``, ``"500 MB"`` (powers of 1000), ``"1.5 GiB"``
        (of 1024). Capitals do not matter.

    Raises
    ------
    TypeError, ValueError
        For anything else, and for less than a byte.

    Examples
    --------
    >>> bytes_of("max_memory", "2GB"), bytes_of("max_memory", "1.5 KiB")
    (2000000000, 1536)
    """
    if not isinstance(amount, str):
        return _validation.whole_number(name, amount, least=1, hint=" bytes")
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", amount)
    if found is None or found[2].upper() not in UNITS:
        raise ValueError(
            f"{name} must be bytes, or a number with a unit such as '2GB', '500 MB' or '1.5 GiB'; "
            f"got {_validation.shown(amount)}"
        )
    return _validation.whole_number(
        name, int(float(found[1]) * UNITS[found[2].upper()]), least=1, hint=" bytes"
    )


def in_words(count: float) -> str:
    """Write bytes as kilobytes, megabytes or gigabytes, rounded up.

    >>> in_words(1200), in_words(1_200_000), in_words(12_340_000_000)
    ('2KB', '2MB', '12.4GB')
    """
    if count >= 10**10:
        return f"{-(-count // 10**8) / 10:g}GB"
    unit, letter = (10**6, "M") if count >= 10**6 else (1000, "K")
    return f"{int(-(-count // unit))}{letter}B"
