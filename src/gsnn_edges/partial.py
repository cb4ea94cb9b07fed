"""Partial correlations: what is left of a correlation when other columns are held fixed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._tables import as_arrays
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import (
    backend_and_dtype,
    multiply,
    operands,
)
from gsnn_edges.options import CorrelationOptions, check_pair, check_values

# Eigenvalues, as shares of the largest, and shares of a variance, below which there is nothing
# but rounding of the correlations.
_LEAST_SHARE = {"float32": 1e-5, "float64": 1e-10}
# Correlations that are gathered for a batch of targets of the same in-degree.
_BATCH_ELEMENTS = 1 << 22
# A parent has no part in a direction of which it has so small a share: rounding leaves as much.
_NO_SHARE = 1e-6


def partial_correlation(
    a: Array,
    g: Array,
    conditions: Array | None = None,
    *,
    parents: Any = None,
    method: Method = "spearman",
    ties: Ties = "average",
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
) -> Array:
    """Correlate every column of ``a`` with every column of ``g``, other columns held fixed.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Na) and (M, Ng)
        M observations in rows. Both of one library, on one device.
    conditions : array of shape (M, K), optional
        Held fixed for every pair.
    parents : edges of shape (2, E), optional
        Known edges, columns of ``a`` above columns of ``g``: for the pair (i, j) the columns of
        ``a`` are held fixed that are parents of j, i itself left out if it is one. So a known
        edge gets what its source adds to the other parents. Repeated edges count once. Give
        either this or ``conditions``.
    method, ties, row_chunk, precision, backend, device
        As of `cross_correlation`. Spearman: the partial correlation of the ranks.

    Returns
    -------
    array of shape (Na, Ng)
        Partial correlations in [-1, 1]. 0 where a column is constant, or where the columns held
        fixed explain it but for a share of 1e-5 of its variance (1e-10 in float64).

    Raises
    ------
    TypeError, ValueError, ImportError, MemoryError
        As `cross_correlation`; for indices of ``parents`` that are no columns; and where there
        are fewer observations than columns held fixed and 3 more.

    Notes
    -----
    With C the correlations of columns held fixed and r, s theirs with column i of ``a`` and
    column j of ``g``, ``C = E D E'`` and ``u = D^(-1/2) E' r``, ``v = D^(-1/2) E' s``::

        partial = (W[i, j] - u.v) / sqrt((1 - u.u) * (1 - v.v))

    the correlation of both residuals of least squares [1]_. Columns held fixed may be constant
    or repeat each other: directions whose eigenvalue is below 1e-5 of the largest (1e-10 in
    float64) are dropped. Correlations are made once, in ``precision``; what follows works on
    them, in float64 where the library has it, and never on observations: for ``parents``, targets
    of the same in-degree d together, at a cost of Na * d^2 + d^3 a target. Where parents are
    nearly collinear, so that directions of theirs are dropped in which several of them have a
    part, these are solved one by one, at d^3 each. Columns that are nearly collinear lose
    digits: then ask for ``precision="float64"``.

    NaN and infinity are an error. Peak memory: that of `cross_correlation`, Na * Na more
    correlations, two more arrays of the size of the result, and some 200 MB or, if that is more,
    64 Na bytes for each parent of the target that has most. Eager only: it does not run under
    ``jax.jit``.

    References
    ----------
    .. [1] T. W. Anderson (2003). An introduction to multivariate statistical analysis, 3rd ed.,
       section 2.5. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> parent, noise = rng.standard_normal((2, 2000, 1))
    >>> a = np.hstack([parent, parent + noise])  # column 1 follows column 0 ...
    >>> g = parent + 0.5 * rng.standard_normal((2000, 1))  # ... and so does the target
    >>> partial_correlation(a, g, parents=[[0], [0]]).round(1) + 0.0
    array([[0.9],
           [0. ]], dtype=float32)
    """
    a, g, conditions = as_arrays(a=a, g=g, conditions=conditions)
    if (conditions is None) == (parents is None):
        raise ValueError(
            f"give either conditions or parents; got {'neither' if parents is None else 'both'}: "
            "conditions are columns held fixed for all pairs, parents those of each target"
        )
    options = CorrelationOptions(
        method=method,
        ties=ties,
        row_chunk=row_chunk,
        precision=precision,
        backend=backend,
        device=device,
    )
    check_pair(a, g)
    ops, dtype = backend_and_dtype(a, g, options)

    def correlate(x: Array, y: Array) -> Array:
        return multiply(*operands(x, y, ops, dtype, options))

    if parents is None:
        _check_conditions(conditions, a, ops)
        gram, left, right = (correlate(conditions, x) for x in (conditions, a, g))
        return _given_columns(gram, left, right, correlate(a, g), ops, dtype)
    edges = _validation.edge_index("parents", parents, (a.shape[1], g.shape[1]))
    held, degree = _parents_of_targets(edges, g.shape[1])
    _check_observations(a.shape[0], int(degree.max(initial=0)))
    return _given_parents(correlate(a, a), correlate(a, g), held, degree, ops, dtype)


def _check_conditions(conditions: Array, a: Array, ops: Backend) -> None:
    """Reject conditions that do not go with the observations."""
    _validation.array("conditions", conditions)
    _validation.ndim("conditions", conditions, 2, "(observations, columns held fixed)")
    if conditions.shape[0] != a.shape[0]:
        raise ValueError(
            f"conditions must have the observations (rows) of a; got {conditions.shape[0]} and "
            f"{a.shape[0]}"
        )
    _check_observations(a.shape[0], conditions.shape[1])
    check_values("conditions", conditions, ops)


def _check_observations(observations: int, held: int) -> None:
    """Reject so few observations that nothing is left to correlate."""
    if observations < held + 3:
        raise ValueError(
            f"a and g must have at least {held + 3} observations (rows), 3 more than the "
            f"{held} columns held fixed; got {observations}: hold fewer fixed"
        )


def _given_columns(
    gram: Array, left: Array, right: Array, whole: Array, ops: Backend, dtype: str
) -> Array:
    """Partial correlations of all pairs, the same K columns held fixed.

    Shapes: (K, K), (K, Na), (K, Ng) and (Na, Ng).
    """
    if gram.shape[0] == 0:
        return whole
    wide = _widest_float(ops)
    parts = (ops.xp.astype(x, wide) for x in (gram, left, right, whole))
    partial = ops.call(_partial_of_all, *parts, least=_LEAST_SHARE[dtype])
    return ops.xp.astype(partial, whole.dtype)


def _parents_of_targets(edges: np.ndarray, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Parents of target 0, then those of 1, ...; and how many each target has."""
    target, source = np.unique(edges[::-1], axis=1)
    return source, np.bincount(target, minlength=targets)


def _given_parents(
    gram: Array,
    whole: Array,
    held: np.ndarray,
    degree: np.ndarray,
    ops: Backend,
    dtype: str,
) -> Array:
    """Partial correlations of all pairs, the parents of each target held fixed.

    ``gram`` (Na, Na) and ``whole`` (Na, Ng) are correlations; ``held`` and ``degree`` are what
    `_parents_of_targets` returned.
    """
    xp, done = ops.xp, []
    by_target = xp.matrix_transpose(whole)
    rows = ops.empty(by_target.shape, whole.dtype)
    top = 0
    for targets, parents in _batches(held, degree, whole.shape[0]):
        block = xp.take(by_target, ops.adopt(targets), axis=0)
        if parents.shape[1]:
            block = _given_parents_of_each(gram, block, parents, ops, _LEAST_SHARE[dtype])
        rows = ops.write(rows, xp.astype(block, whole.dtype), top, 0)
        top += len(targets)
        done.append(targets)
    place = np.argsort(np.concatenate(done)) if done else np.zeros(0, dtype=np.int64)
    return xp.matrix_transpose(xp.take(rows, ops.adopt(place), axis=0))


def _batches(
    held: np.ndarray, degree: np.ndarray, sources: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Targets of the same in-degree d, some at a time, and their parents (targets, d)."""
    first = np.cumsum(degree) - degree
    for d in np.unique(degree):
        same = np.flatnonzero(degree == d)
        limit = max(1, _BATCH_ELEMENTS // int(sources * max(d, 1)))
        for low in range(0, len(same), limit):
            targets = same[low : low + limit]
            yield targets, held[first[targets][:, None] + np.arange(d)]


def _given_parents_of_each(
    gram: Array, block: Array, parents: np.ndarray, ops: Backend, least: float
) -> Array:
    """Rows (targets, Na) of partial correlations, from those of correlations in ``block``."""
    xp, wide = ops.xp, _widest_float(ops)
    (count, d), sources = parents.shape, block.shape[1]
    index = ops.adopt(parents)
    block = xp.astype(block, wide)
    left = xp.take(gram, ops.adopt(parents.reshape(-1)), axis=0)
    left = xp.reshape(xp.astype(left, wide), (count, d, sources))
    right = xp.take_along_axis(block, index, axis=1)
    square = xp.take_along_axis(left, xp.broadcast_to(index[:, None, :], (count, d, d)), axis=2)
    partial = ops.call(_partial_of_rows, square, left, right, block, least=least)
    del left
    known = _each_given_the_others(square, right, ops, least)
    slot = np.full((count, sources), d)
    np.put_along_axis(slot, parents, np.arange(d)[None, :], axis=1)
    place = ops.adopt(slot)
    padded = xp.concat([known, xp.zeros_like(known[:, :1])], axis=1)
    return xp.where(place < d, xp.take_along_axis(padded, place, axis=1), partial)


def _each_given_the_others(square: Array, right: Array, ops: Backend, least: float) -> Array:
    """Partial correlation of each parent, the other parents held fixed: (targets, d).

    All of a target from one inverse; those that it leaves open, one by one.
    """
    known, settled = ops.call(_by_inverse, square, right, least=least)
    unsettled = np.argwhere(~ops.to_numpy(settled))
    if not len(unsettled):
        return known
    known, square, right = (np.array(ops.to_numpy(x)) for x in (known, square, right))
    d = right.shape[1]
    limit = max(1, _BATCH_ELEMENTS // (d * d))
    for low in range(0, len(unsettled), limit):
        target, parent = unsettled[low : low + limit].T
        one, others = parent[:, None], np.stack([np.delete(np.arange(d), k) for k in parent])
        rows = target[:, None]
        gram = square[rows[:, :, None], others[:, :, None], others[:, None, :]]
        left, whole = square[rows, others, one][:, :, None], right[rows, one]
        arrays = (ops.adopt(x) for x in (gram, left, right[rows, others], whole))
        partial = ops.call(_partial_of_rows, *arrays, least=least)
        known[target, parent] = ops.to_numpy(partial)[:, 0]
    return ops.adopt(known)


def _by_inverse(square: Array, right: Array, *, ops: Backend, least: float) -> tuple[Array, Array]:
    """Partial correlation of each parent given the others, and where it is one.

    With ``P`` the inverse of the parents' correlations, parent k has the variance ``1 / P[k, k]``
    left, and the coefficient ``b[k] = (P s)[k]`` in the regression of the target on all of them:
    the partial correlation is ``b[k] / sqrt(P[k, k] * left)``, ``left`` being what the others
    leave of the target. Directions in which parents do not vary are dropped from ``P``. They say
    nothing of a parent that has no part in them; one that has is explained by the others, and
    gets 0, if they leave nothing of it. Of the others this inverse tells nothing.
    """
    xp = ops.xp
    values, vectors = xp.linalg.eigh(square)
    values, kept = values[:, None, :], _varying(values[:, None, :], least, xp)
    one = xp.ones_like(values)
    shares = vectors * vectors
    inverse = xp.where(kept, one / xp.where(kept, values, one), one * 0)
    diagonal = xp.sum(shares * inverse, axis=2)
    weights = xp.matmul(xp.matrix_transpose(vectors), right[:, :, None])
    weights = xp.matrix_transpose(weights) * inverse
    slopes = xp.sum(vectors * weights, axis=2)
    rest = 1 - xp.sum(right * slopes, axis=1, keepdims=True)
    variance = 1 / xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal))
    left = rest + slopes * slopes * variance
    partial = _quotient(slopes * variance, variance, left, least, xp)
    # What the others leave of a parent: at most 1 over its shares of such directions, each over
    # the variance there.
    dropped = xp.where(kept, one * 0, shares)
    floor = xp.sum(dropped / (xp.abs(values) + least**2), axis=2)
    explained = floor * least >= 1
    partial = xp.where(explained, xp.zeros_like(partial), partial)
    return partial, explained | (xp.sum(dropped, axis=2) <= _NO_SHARE)


def _partial_of_rows(
    gram: Array, left: Array, right: Array, whole: Array, *, ops: Backend, least: float
) -> Array:
    """Partial correlations of one target at a time with all sources.

    Shapes: (targets, d, d), (targets, d, sources), (targets, d) and (targets, sources).
    """
    xp = ops.xp
    basis = xp.matrix_transpose(_whitening(gram, least, xp))
    u = xp.matmul(basis, left)
    v = xp.matmul(basis, right[:, :, None])
    rest = 1 - xp.sum(u * u, axis=1), 1 - xp.sum(v * v, axis=1)
    return _quotient(whole - xp.sum(u * v, axis=1), *rest, least, xp)


def _partial_of_all(
    gram: Array, left: Array, right: Array, whole: Array, *, ops: Backend, least: float
) -> Array:
    """Partial correlations of all pairs; shapes as of `_given_columns`."""
    xp = ops.xp
    basis = xp.matrix_transpose(_whitening(gram, least, xp))
    u, v = (xp.matmul(basis, x) for x in (left, right))
    rest = 1 - xp.sum(u * u, axis=0)[:, None], 1 - xp.sum(v * v, axis=0)[None, :]
    return _quotient(whole - xp.matmul(xp.matrix_transpose(u), v), *rest, least, xp)


def _whitening(gram: Array, least: float, xp: Any) -> Array:
    """F with ``F' gram F`` the identity, on the directions in which columns vary."""
    values, vectors = xp.linalg.eigh(gram)
    values = values[..., None, :]
    kept = _varying(values, least, xp)
    one = xp.ones_like(values)
    return vectors * xp.where(kept, one / xp.sqrt(xp.where(kept, values, one)), one * 0)


def _varying(values: Array, least: float, xp: Any) -> Array:
    """Mark the eigenvalues of the directions in which columns vary."""
    return values > least * xp.max(values, axis=-1, keepdims=True)


def _quotient(covariance: Array, left: Array, right: Array, least: float, xp: Any) -> Array:
    """Divide by both residual deviations; 0 where a variance is nothing but rounding."""
    varies = (left > least) & (right > least)
    one = xp.ones_like(covariance)
    partial = covariance / xp.sqrt(xp.where(varies, left * right, one))
    return xp.clip(xp.where(varies, partial, one * 0), -1, 1)


def _widest_float(ops: Backend) -> Any:
    """Widest float of the library."""
    return ops.xp.float64 if _validation.has_float64(ops.xp) else ops.xp.float32
