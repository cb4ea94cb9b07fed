"""Layer pairs: the rows of each, the pairs that a score takes, and what lies within and between."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from gsnn_edges import _validation
from gsnn_edges._typing import Array, Device, Method, Precision, Score, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import Operand, backend_and_dtype, multiply, operands
from gsnn_edges.options import CorrelationOptions, check_pair

LayerChoice: TypeAlias = Literal["pooled", "mean", "last"] | int | None

LAYERS = ("pooled", "mean", "last")
# What a score does with its layer pairs where nobody says it: the original pools them.
USUAL_LAYERS: dict[Score, str] = {"magnitude": "pooled", "channels": "mean"}


class LayerParts(NamedTuple):
    """A pooled correlation, and its two parts: ``pooled = within + between``."""

    pooled: Array
    within: Array
    between: Array


def layer_pairs(a: Array, g: Array, samples: int) -> Iterator[tuple[Array, Array]]:
    """Cut observations into those of each layer pair.

    Parameters
    ----------
    a, g : arrays of shape (M, ...)
        Row ``l * samples + b`` belongs to layer pair l and sample b, as `capture` gives them.
    samples : int
        Number of samples B, at least 3; M is a multiple of it.

    Yields
    ------
    a, g : views of shape (B, ...)
    """
    for start in range(0, _checked_samples(a, samples) * samples, samples):
        yield a[start : start + samples, ...], g[start : start + samples, ...]


def chosen_pairs(a: Array, g: Array, samples: int, layers: str | int) -> list[tuple[Array, Array]]:
    """Observations of each matrix whose mean is W; ``layers`` is what `checked_layers` returned."""
    if layers == "pooled":  # of any number of samples
        return [(a, g)]
    pairs = list(layer_pairs(a, g, samples))
    return [pairs[first] for first, _ in layer_spans(layers, len(pairs))]


def layer_spans(layers: str | int, pairs: int) -> list[tuple[int, int]]:
    """First and last layer pair, half-open, of each matrix whose mean is W.

    >>> layer_spans("pooled", 3), layer_spans("mean", 3), layer_spans("last", 3)
    ([(0, 3)], [(0, 1), (1, 2), (2, 3)], [(2, 3)])
    """
    if layers == "pooled":
        return [(0, pairs)]
    if layers == "mean":
        return [(pair, pair + 1) for pair in range(pairs)]
    pair = pairs - 1 if layers == "last" else int(layers)
    return [(pair, pair + 1)]


def checked_layers(layers: LayerChoice, score: Score, pairs: int) -> str | int:
    """Layer pairs that a score takes: its own default, or the choice of the caller."""
    if layers is None:
        return USUAL_LAYERS[score]
    if isinstance(layers, str):
        _validation.choice("layers", layers, LAYERS)
        return layers
    number = _validation.whole_number("layers", layers, least=0, hint=": pairs count from 0")
    if number >= pairs:
        raise ValueError(
            f"layers must be 'pooled', 'mean', 'last' or a layer pair in 0 .. {pairs - 1}; got "
            f"{number}: {pairs + 1} blocks make {pairs} pairs, counted from 0"
        )
    return number


def checked_pairs(a: Array, g: Array, samples: int) -> int:
    """Return the number of layer pairs of two sides that go together; reads no value."""
    check_pair(a, g)
    return _checked_samples(a, samples)


def _checked_samples(a: Array, samples: int) -> int:
    samples = _validation.samples("samples", samples)
    pairs, rest = divmod(int(a.shape[0]), samples)
    if rest or pairs == 0:
        raise ValueError(
            f"samples must divide the number of observations, {a.shape[0]}, into layer pairs; got "
            f"{samples}: it is the number of rows of the batch"
        )
    return pairs


def layer_parts(
    a: Array,
    g: Array,
    samples: int,
    *,
    method: Method = "spearman",
    ties: Ties = "average",
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
) -> LayerParts:
    """Split a pooled correlation into what lies within layers and what lies between them.

    Parameters
    ----------
    a, g : arrays of shape (M, Na) and (M, Ng), as `cross_correlation` takes them
        Row ``l * samples + b`` belongs to layer pair l and sample b.
    samples : int
        Number of samples B, at least 3; M is a multiple of it.
    method, ties, precision, backend, device
        As of `cross_correlation`.

    Returns
    -------
    LayerParts of arrays of shape (Na, Ng)
        ``pooled`` is what `cross_correlation` gives. ``between`` is what would be left if each
        sample had its layer's mean (of ranks, or of values for Pearson), ``within`` what samples
        add to that: ``pooled = within + between`` within rounding, each part in [-1, 1].

    Raises
    ------
    TypeError, ValueError, ImportError, MemoryError
        As `cross_correlation`; and when ``samples`` is below 3 or does not divide M.

    Notes
    -----
    Ranks are taken over all observations, as pooling takes them, and then centred within each
    layer. Ranks taken layer by layer would be those of another correlation: their parts would not
    add up to this one.

    Peak memory: that of `cross_correlation`, and the standardized columns of ``a`` and ``g``.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0], [2.0], [3.0], [11.0], [12.0], [13.0]])
    >>> g = np.array([[3.0], [2.0], [1.0], [13.0], [12.0], [11.0]])
    >>> [f"{part[0, 0]:.2f}" for part in layer_parts(a, g, samples=3)]
    ['0.54', '-0.23', '0.77']
    """
    options = CorrelationOptions(
        method=method, ties=ties, precision=precision, backend=backend, device=device
    )
    pairs = checked_pairs(a, g, samples)
    ops, dtype = backend_and_dtype(a, g, options)
    pooled = multiply(*operands(a, g, ops, dtype, options))
    sums = []
    for x in (a, g):
        rows = Operand(x, ops, dtype, options, False).rows(0, x.shape[1])
        sums.append(layer_sums(rows, ops=ops, layers=pairs))
    between = ops.matmul(*sums) / samples
    return LayerParts(pooled, pooled - between, between)


def mean(matrices: Iterable[Array]) -> Array:
    """Average without holding more than two of them; the first is used up."""
    matrices = iter(matrices)
    total, count = next(matrices), 1
    for matrix in matrices:
        total += matrix
        count += 1
    total /= count
    return total


def by_layer(rows: Array, ops: Backend, layers: int) -> Array:
    """Rows as (rows, layers, samples)."""
    return ops.xp.reshape(rows, (rows.shape[0], layers, rows.shape[1] // layers))


def layer_sums(rows: Array, *, ops: Backend, layers: int) -> Array:
    """Sum each layer of each row: (rows, layers)."""
    return ops.xp.sum(by_layer(rows, ops, layers), axis=2)
