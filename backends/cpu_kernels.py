"""Compiled kernels for arrays in host memory; they hold no formula that the generic code lacks.

`rank_rows` is the sort, ties and standardization of `gsnn_edges.ranks` fused into one loop over
words that stay in cache; `count_above` and `count_between` are the counts of link ranking. numba
compiles a kernel at its first call and keeps it on disk; kernels hold no lock of Python's, so that
threads share the rows.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])

# A word is the upper 32 bits of a key above the place of its value. Words are sorted by digits of
# the key, the lowest first: three passes, whose 2048 counters stay in the nearest cache.
_DIGITS, _BITS = 3, 11
_BINS = 1 << _BITS
_DIGIT = np.uint64(_BINS - 1)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE, _NONE, _TOP = np.uint64(1), np.uint64(0), np.uint64(1 << 63)
# Values of runs whose keys differ in their lower half only; more are sorted by digits.
_FEW = 24

# Scores of a row that are searched; more of them are searched in a sorted row.
_MANY = 200
# Candidates of a place among sorted values: fewer are passed one by one.
_NEAR = 8

# How bits become keys that compare as the values do.
_UNSIGNED, _SIGNED, _FLOAT = range(3)
_KINDS = {"u": _UNSIGNED, "i": _SIGNED, "f": _FLOAT}


@cache
def load(key: int, result: str) -> None:
    """Load the kernels for keys of 4 or 8 bytes and ranks of a dtype, or "counts"."""
    x = np.zeros((0, 1), f"u{key}")
    if result == "counts":
        x.flags.writeable = False
        places, values, bins = np.zeros(1, np.int64), np.zeros(1, x.dtype), np.zeros(2, np.int32)
        count_above(x, places, places, places, places, places, places)
        count_between(x, places, places, values, bins, values[0], np.zeros((1, 2), np.int64))
    else:
        rank_rows(x, np.zeros((0, 1), result), average=True, standardize=True, shift=True)


def rank_rows(
    x: np.ndarray, out: np.ndarray, *, average: bool, standardize: bool, shift: bool
) -> bool:
    """Ranks of each row, or standardized ranks, written to ``out``.

    Parameters
    ----------
    x : (rows, M) ndarray of real numbers
    out : (rows, M) ndarray of float32, float64 or, for ranks rounded down, int32
    average
        Equal values share the mean of their ranks; else they are ranked as they stand.
    standardize
        Subtract the mean and divide by the length; 0 for a constant row.
    shift
        Subtract the rank of the commonest value instead of the mean.

    Returns
    -------
    bool
        Whether all values are finite; else the ranks mean nothing.
    """
    key = max(4, x.dtype.itemsize)
    bits = np.ascontiguousarray(x, f"{x.dtype.kind}{key}").view(f"u{key}")
    finite: bool = _rank_words(bits, _KINDS[x.dtype.kind], average, standardize, shift, out)
    return finite


def _compiled(function: _Function) -> _Function:
    """Compile at the first call, and keep the code on disk where a folder can be written to."""
    try:
        kernel: Any = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        kernel = njit(nogil=True)(function)
    compiled: _Function = kernel
    return compiled


@_compiled
def _rank_words(
    bits: Any, kind: int, average: bool, standardize: bool, shift: bool, out: Any
) -> bool:
    rows, length = bits.shape
    wide = bits.itemsize == 8
    up = _NONE if wide else _HALF
    exponent = np.uint64(0x7FF << 52 if wide else 0x7F8 << 52)
    words, spare = np.empty(length, np.uint64), np.empty(length, np.uint64)
    keys, run = np.empty((2, length if wide else 0), np.uint64)
    counts = np.empty((_DIGITS, _BINS), np.uint32)
    finite = True
    for row in range(rows):
        counts[:] = 0
        for place in range(length):
            key = np.uint64(bits[row, place]) << up
            if kind == _FLOAT:
                finite &= (key & exponent) != exponent
                # -0.0 equals 0.0. Negative floats fall as their bits rise.
                key = _NONE if key == _TOP else key
                key ^= np.uint64(np.int64(key) >> 63) | _TOP
            elif kind == _SIGNED:
                key ^= _TOP
            if wide:
                keys[place] = key
            words[place] = (key & ~_LOW) | np.uint64(place)
            _count(counts, key >> _HALF)
        ordered = _by_digits(words, spare, counts)
        if wide:
            _order_lower_halves(ordered, keys, run, counts)
        _write_ranks(ordered, average, standardize, shift, out[row])
    return finite


@_compiled
def _count(counts: Any, key: Any) -> None:
    counts[0, key & _DIGIT] += np.uint32(1)
    counts[1, (key >> np.uint64(_BITS)) & _DIGIT] += np.uint32(1)
    counts[2, key >> np.uint64(2 * _BITS)] += np.uint32(1)


@_compiled
def _by_digits(words: Any, spare: Any, counts: Any) -> Any:
    for digit in range(_DIGITS):
        shift = np.uint64(32 + _BITS * digit)
        starts = counts[digit]
        if starts[(words[0] >> shift) & _DIGIT] == words.size:
            continue  # one digit for all
        start = np.uint32(0)
        for value in range(_BINS):
            starts[value], start = start, start + starts[value]
        for place in range(words.size):
            word = words[place]
            value = (word >> shift) & _DIGIT
            to = starts[value]
            starts[value] = to + np.uint32(1)
            spare[to] = word
        words, spare = spare, words
    return words


@_compiled
def _order_lower_halves(words: Any, keys: Any, run: Any, counts: Any) -> None:
    """Order words of one upper half by the lower one, and put the number of its run above each."""
    number, start = _NONE, 0
    while start < words.size:
        upper, stop = words[start] >> _HALF, start + 1
        while stop < words.size and words[stop] >> _HALF == upper:
            stop += 1
        size = stop - start
        if size == 1:
            words[start] = (number << _HALF) | (words[start] & _LOW)
        else:
            for k in range(size):
                place = words[start + k] & _LOW
                run[k] = (keys[place] << _HALF) | place
            ordered = _sorted_run(run[:size], counts)
            for k in range(size):
                if k and ordered[k] >> _HALF != ordered[k - 1] >> _HALF:
                    number += _ONE
                words[start + k] = (number << _HALF) | (ordered[k] & _LOW)
        number += _ONE
        start = stop


@_compiled
def _sorted_run(run: Any, counts: Any) -> Any:
    if run.size <= _FEW:
        for k in range(1, run.size):
            word, place = run[k], k
            while place and run[place - 1] > word:
                run[place] = run[place - 1]
                place -= 1
            run[place] = word
        return run
    counts[:] = 0
    for word in run:
        _count(counts, word >> _HALF)
    return _by_digits(run, np.empty_like(run), counts)


@_compiled
def _write_ranks(words: Any, average: bool, standardize: bool, shift: bool, out: Any) -> None:
    """Write the rank of each value to its place; words of one run share what is above the place."""
    length = words.size
    longest, commonest, tied = 1, 1.0, 0.0
    start = 0
    while average and start < length:
        stop = _end_of_run(words, start)
        size = stop - start
        if size > longest:
            longest, commonest = size, (start + stop + 1) / 2
        tied += (float(size) * size - 1) * size
        start = stop
    origin, scale = 0.0, 1.0
    if standardize:
        # Squares of centred ranks sum to (M^3 - M - sum(t^3 - t)) / 12 over runs of t ties.
        squares = ((float(length) * length - 1) * length - tied) / 12
        varies = words[0] >> _HALF != words[length - 1] >> _HALF
        scale = 1 / np.sqrt(squares) if varies else 0.0
        origin = commonest if shift and average else (length + 1) / 2
    start = 0
    while start < length:
        stop = _end_of_run(words, start) if longest > 1 else start + 1
        value = ((start + stop + 1) / 2 - origin) * scale
        for k in range(start, stop):
            out[words[k] & _LOW] = value
        start = stop


@_compiled
def _end_of_run(words: Any, start: int) -> int:
    upper, stop = words[start] >> _HALF, start + 1
    while stop < words.size and words[stop] >> _HALF == upper:
        stop += 1
    return stop


@_compiled
def count_above(
    bits: Any, removed: Any, starts: Any, columns: Any, ends: Any, above: Any, level: Any
) -> None:
    """Count the competing scores of a row above each of its queries, and level with it.

    Parameters
    ----------
    bits : (rows, n) uint32 or uint64 ndarray, read-only
        Of floats.
    removed, starts : int64 ndarrays
        ``removed[starts[r]:starts[r + 1]]`` are the columns of row r that do not compete.
    columns, ends : int64 ndarrays
        ``columns[ends[r]:ends[r + 1]]`` are the queries of row r.
    above, level : int64 ndarrays like ``columns``, written to
    """
    keys = np.empty(bits.shape[1], bits.dtype)
    for row in range(bits.shape[0]):
        _fill_keys(bits[row], keys)
        first, last = ends[row], ends[row + 1]
        scores = keys[columns[first:last]]
        keys[removed[starts[row] : starts[row + 1]]] = 0
        if last - first > _MANY:
            keys.sort()
        for query in range(first, last):
            score = scores[query - first]
            if last - first > _MANY:
                right = np.searchsorted(keys, score, "right")
                above[query] = keys.size - right
                level[query] = right - np.searchsorted(keys, score)
                continue
            more, equal = np.uint32(0), np.uint32(0)
            for key in keys:
                more += np.uint32(key > score)
                equal += np.uint32(key == score)
            above[query], level[query] = more, equal


@_compiled
def count_between(
    bits: Any, removed: Any, starts: Any, values: Any, bins: Any, shift: Any, counts: Any
) -> None:
    """Count the competing scores below each of some values and above the one before, and level.

    Parameters
    ----------
    bits, removed, starts
        As of `count_above`.
    values : unsigned ndarray
        Keys in rising order, all different, and the largest of their dtype behind them.
    bins, shift
        ``bins[k]``, int32, is the place of the first value whose distance from the least one is at
        least k, without its lowest ``shift`` bits.
    counts : (values, 2) int64 ndarray
        Between and level: what is counted is added.
    """
    keys = np.empty(bits.shape[1], bits.dtype)
    least, last = values[0], bins.size - 2
    for row in range(bits.shape[0]):
        _fill_keys(bits[row], keys)
        keys[removed[starts[row] : starts[row + 1]]] = 0
        for key in keys:
            if key == 0:
                continue
            near = min(np.int64((max(key, least) - least) >> shift), last)
            place, stop = bins[near], bins[near + 1]
            while stop - place > _NEAR:
                middle = (place + stop) // 2
                if values[middle] < key:
                    place = middle + 1
                else:
                    stop = middle
            while values[place] < key:
                place += 1
            counts[place, np.int64(values[place] == key)] += 1


@_compiled
def _fill_keys(bits: Any, keys: Any) -> None:
    """Keys that compare as floats do; 0 is below that of every finite one."""
    one = bits.dtype.type(1)
    top = one << bits.dtype.type(8 * bits.itemsize - 1)
    for place in range(bits.size):
        key = bits[place]
        key = key ^ key if key == top else key
        keys[place] = ~key if key & top else key | top
