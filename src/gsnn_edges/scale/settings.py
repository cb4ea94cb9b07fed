"""What W of a store follows from: the same rules and names for every way to make it."""

from typing import Any

from gsnn_edges import _validation
from gsnn_edges.layer_pairs import checked_layers
from gsnn_edges.options import METHODS, PRECISIONS, TIES
from gsnn_edges.scale.above import checked_threshold
from gsnn_edges.scale.top import checked_top


def checked_settings(
    store: Any,
    *,
    method: Any,
    ties: Any,
    layers: Any,
    n_components: Any,
    precision: Any = "float32",
    top: Any = None,
    threshold: Any = None,
) -> dict[str, Any]:
    """Give the settings, ready for JSON, when all arguments keep their rules."""
    _validation.choice("method", method, METHODS)
    _validation.choice("ties", ties, TIES)
    _validation.choice("precision", precision, PRECISIONS)
    layers = checked_layers(layers, store.score, store.pairs)
    settings = {
        "score": store.score,
        "method": method,
        "ties": ties,
        "layers": layers,
        "n_components": checked_n_components(n_components, store.score),
        "precision": precision,
        "top": checked_top(top, store.nodes),
        "threshold": checked_threshold(threshold),
    }
    check_length(store, layers)
    return {"observations": store.fingerprint(), **settings}


def spans_of(layers: str | int, pairs: int) -> list[tuple[int, int]]:
    """Give the layer pairs of each matrix to average.

    >>> spans_of("pooled", 3), spans_of("mean", 3), spans_of("last", 3)
    ([(0, 3)], [(0, 1), (1, 2), (2, 3)], [(2, 3)])
    """
    if layers == "pooled":
        return [(0, pairs)]
    if layers == "mean":
        return [(pair, pair + 1) for pair in range(pairs)]
    pair = pairs - 1 if layers == "last" else int(layers)
    return [(pair, pair + 1)]


def check_length(store: Any, layers: str | int) -> None:
    """Reject matrices of too few observations."""
    first, last = spans_of(layers, store.pairs)[0]
    length = (last - first) * store.samples
    least = 3 if store.score == "channels" else 2
    if length < least:
        raise ValueError(
            f"store must have at least {least} observations for each matrix; got {length}: capture "
            "more samples"
        )


def checked_n_components(n_components: Any, score: str) -> int | None:
    """Give a number of components where nodes have several columns."""
    found: int | None = _validation.whole_number_or_none("n_components", n_components, least=1)
    if found is not None and score != "channels":
        raise ValueError(
            f"n_components={found} needs a store of score='channels'; got {score!r}, which has "
            "one column a node: leave n_components out"
        )
    return found
