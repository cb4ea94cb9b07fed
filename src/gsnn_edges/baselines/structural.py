"""The score test of a linear structural equation model with hidden nodes on the known graph."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._io import format_bytes
from gsnn_edges._progress import track
from gsnn_edges.baselines.graph import without_self
from gsnn_edges.baselines.measured import NodeValues, node_count, paired_values

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Statistic = Literal["z", "bayes_factor"]

STATISTICS = ("z", "bayes_factor")
# Rows of a comparison.
STRUCTURAL = ("structural_score", "structural_bayes_factor")
_PRIOR_STD = 0.5
# Precision of the normal prior of a known weight, and what keeps covariances invertible.
_PENALTY, _JITTER = 1e-2, 1e-8
# Weights to start from; smaller in dense graphs, whose effects would not settle.
_START, _DENSE_START = 0.1, 0.5
# Value of the likelihood where effects have no finite sum: the line search turns back.
_NOWHERE = 1e10
_MAX_ITER, _USUAL_ITER = 500, 300
# Seconds beyond which a warning says what is to come.
_LONG = 120.0
# Numbers of a block of sources in the projection.
_BLOCK = 4_000_000
# Multiplications up to which parameters are projected out where nobody says.
_MOST_WORK = 2e11
# A pair of less information, relative to the best, says nothing.
_LEAST_INFORMATION = 1e-9


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of inputs x and measured values y, both of mean 0.

    Attributes
    ----------
    rows : int
    xx, yx, yy : float64 arrays of shape (K, K), (M, K), (M, M)
        Means over the rows.
    """

    rows: int
    xx: Floats
    yx: Floats
    yy: Floats


@dataclass(frozen=True, eq=False)
class StructuralModel:
    """The linear model ``v = B v + G x + e``, ``e ~ N(0, diag(psi))``, of which y is seen.

    Parameters are a vector: weights of B, one for each edge; weights of G, one for each input; log
    psi of the measured nodes. That of hidden nodes is 1, as their scale is free.

    Attributes
    ----------
    nodes : int
    edges : int64 array of shape (2, E)
        Sources and targets.
    inputs, measured : int64 arrays of shape (K,) and (M,)
        The node of each column of x and of y.
    """

    nodes: int
    edges: Indices
    inputs: Indices
    measured: Indices

    def effects(self, weights: Floats) -> Floats:
        """Total effect of each node (columns) on each (rows): ``(I - B)^-1``.

        Raises
        ------
        ValueError
            Where I - B is singular.
        """
        system = np.eye(self.nodes)
        np.subtract.at(system, (self.edges[1], self.edges[0]), weights)
        try:
            return np.asarray(np.linalg.inv(system))
        except np.linalg.LinAlgError:
            raise ValueError(
                "known_edges must have weights whose effects settle; I - B is singular, as that "
                "of a cycle whose weights multiply to 1: try another seed"
            ) from None

    def split(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Weights of edges (E,) and of inputs (K,), variances of all nodes (N,)."""
        weights, gains, logs = np.split(theta, np.cumsum([self.edges.shape[1], len(self.inputs)]))
        psi = np.ones(self.nodes)
        psi[self.measured] = np.exp(logs)
        return weights, gains, psi

    def loss(self, theta: Floats, data: Moments) -> tuple[float, Floats]:
        """Minus the mean log posterior density, but for a constant, and its gradient.

        Parameters
        ----------
        theta : float64 array of shape (E + K + M,)
        data : Moments

        Returns
        -------
        float, float64 array of shape (E + K + M,)
        """
        weights, gains, psi = self.split(theta)
        effects = self.effects(weights)
        seen = effects[self.measured]
        driven = seen[:, self.inputs]
        of_x = driven * gains
        cross = of_x @ data.yx.T
        residual = data.yy - cross - cross.T + of_x @ data.xx @ of_x.T
        sigma = (seen * psi) @ seen.T + _JITTER * np.eye(len(seen))
        inverse = np.linalg.inv(sigma)
        whitened = inverse @ residual
        penalty = _PENALTY / data.rows
        value = np.linalg.slogdet(sigma)[1] + np.trace(whitened) + penalty * weights @ weights
        # Gradients by sigma (twice), by of_x, by seen; only edges of B have one.
        back = (inverse - whitened @ inverse) @ seen
        by_x = inverse @ (of_x @ data.xx - data.yx)
        by_seen = back * psi
        by_seen[:, self.inputs] += by_x * gains
        by_effects = by_seen @ effects.T
        source, target = self.edges
        by_psi = 0.5 * psi[self.measured] * (seen * back).sum(axis=0)[self.measured]
        by_weights = np.einsum("me,me->e", seen[:, target], by_effects[:, source])
        gradient = [by_weights + penalty * weights, (driven * by_x).sum(axis=0), by_psi]
        return float(value / 2), np.concatenate(gradient)

    def fit(
        self, data: Moments, *, seed: int = 0, n_starts: int = 1, verbose: bool | None = None
    ) -> Floats:
        """Parameters of the least loss of some starts, by L-BFGS, (E + K + M,)."""
        need = "structural_score needs SciPy"
        optimize = _validation.imported("scipy.optimize", need, "stats")
        edges, inputs = self.edges.shape[1], len(self.inputs)
        scale = min(_START, _DENSE_START / np.sqrt(max(edges / self.nodes, 1)))
        starts = np.random.default_rng(seed).standard_normal((n_starts, edges + inputs)) * scale
        starts = np.pad(starts, [(0, 0), (0, len(self.measured))])

        def loss(theta: Floats) -> tuple[float, Floats]:
            try:
                return self.loss(theta, data)
            except (ValueError, np.linalg.LinAlgError):
                return _NOWHERE, np.zeros_like(theta)

        before = time.perf_counter()
        loss(starts[0])
        label = self._announcement(n_starts * _USUAL_ITER * (time.perf_counter() - before))
        fits = []
        for start in starts:
            steps = iter(track(range(_MAX_ITER), _MAX_ITER, label, verbose=verbose))
            options = {"maxiter": _MAX_ITER}
            with np.errstate(over="ignore", invalid="ignore"):
                fit = optimize.minimize(
                    loss,
                    start,
                    method="L-BFGS-B",
                    jac=True,
                    callback=lambda _, steps=steps: next(steps, None),
                    options=options,
                )
            for _ in steps:  # the bar ends, whether or not all steps were needed
                pass
            fits.append(fit)
        best = min(fits, key=lambda fit: float(fit.fun))
        if not best.fun < _NOWHERE:
            self.effects(best.x[:edges])
            raise ValueError("measured must be values that a linear model can follow; none fits")
        return np.asarray(best.x)

    def _announcement(self, seconds: float) -> str:
        """What a fit takes, in words; a warning where that is long."""
        numbers = 8 * self.nodes**2 + 8 * len(self.measured) * (self.nodes + len(self.measured))
        label = f"structural fit, about {seconds:.0f} s and {format_bytes(8 * numbers)}"
        if seconds > _LONG:
            _validation.warn(f"{label}: interrupt it, or leave it out, where that is too long")
        return label

    def score(
        self, theta: Floats, data: Moments, *, project: bool = False
    ) -> tuple[Floats, Floats]:
        """Derivative of the log likelihood by the weight of each pair, and its variance.

        Parameters
        ----------
        theta : float64 array of shape (E + K + M,)
            As `fit` gives it.
        data : Moments
        project : bool
            Take out what the parameters of the model could explain themselves: the efficient
            score. Time and memory grow with the square of their number.

        Returns
        -------
        float64 arrays of shape (N, N)
            ``[i, j]`` is of the edge from i to j. The variance is that of the fitted model.
        """
        found = _Fitted.of(self, theta, data)
        u = data.rows * (found.observed - found.expected)
        information = data.rows * (
            np.outer(np.diagonal(found.values), np.diagonal(found.credits)) + found.expected**2
        )
        if not project:
            return u, information
        source, target = self.edges
        own = found.covariances(source, target), found.of_parameters()
        # Eigenvalues below 0 are rounding, of parameters that say the same.
        eigenvalues, vectors = np.linalg.eigh(data.rows * found.among_parameters(own[0]))
        root = vectors.T / np.sqrt(np.maximum(eigenvalues, 0) + _PENALTY)[:, None]
        explained = root @ (data.rows * own[1])
        nodes = np.arange(self.nodes)
        size = max(1, _BLOCK // max(len(root) * self.nodes, 1))
        for first in range(0, self.nodes, size):
            rows = nodes[first : first + size, None]
            shared = data.rows * found.covariances(rows, nodes[None])
            shared = root @ shared.reshape(len(root), -1)
            u[first : first + size] -= (explained @ shared).reshape(len(rows), -1)
            information[first : first + size] -= (shared**2).sum(axis=0).reshape(len(rows), -1)
        return u, information


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Moments of a fitted model, a row: of values v, credits c (residuals carried back), inputs.

    ``observed`` is the mean of ``v_i c_j`` in the data, ``expected`` that in the model; ``values``,
    ``credits`` and ``crossed`` those of ``v v'``, ``c c'`` and ``v x'``.
    """

    model: StructuralModel
    psi: Floats
    xx: Floats
    observed: Floats
    expected: Floats
    values: Floats
    credits: Floats
    crossed: Floats
    observed_credits: Floats
    observed_inputs: Floats

    @classmethod
    def of(cls, model: StructuralModel, theta: Floats, data: Moments) -> "_Fitted":
        weights, gains, psi = model.split(theta)
        effects = model.effects(weights)
        seen = effects[model.measured]
        driven = effects[:, model.inputs] * gains
        of_x = driven[model.measured]
        sigma = (seen * psi) @ seen.T + _JITTER * np.eye(len(seen))
        back = np.linalg.solve(sigma, seen)
        cross = of_x @ data.yx.T
        residual = data.yy - cross - cross.T + of_x @ data.xx @ of_x.T
        credits = back.T @ seen
        observed_credits = back.T @ residual @ back
        observed_inputs = back.T @ (data.yx - of_x @ data.xx)
        noise = effects * psi
        return cls(
            model=model,
            psi=psi,
            xx=data.xx,
            observed=driven @ observed_inputs.T + noise @ observed_credits,
            expected=noise @ credits,
            values=driven @ data.xx @ driven.T + noise @ credits @ noise.T,
            credits=credits,
            crossed=driven @ data.xx,
            observed_credits=observed_credits,
            observed_inputs=observed_inputs,
        )

    def covariances(self, i: Indices, j: Indices) -> Floats:
        """Of the scores of all parameters with those of pairs (i, j), (parameters, *pairs)."""
        (source, target), inputs = self.model.edges, self.model.inputs
        seen = self.model.measured
        variances = self.psi[seen].reshape(-1, *np.ones(max(i.ndim, j.ndim), int))
        return np.concatenate(
            [
                self.values[source][:, i] * self.credits[target][:, j]
                + self.expected.T[target][:, i] * self.expected[source][:, j],
                self.crossed.T[:, i] * self.credits[inputs][:, j],
                variances * self.expected.T[seen][:, i] * self.credits[seen][:, j],
            ]
        )

    def of_parameters(self) -> Floats:
        """Means of the scores of all parameters: 0 where the fit has converged."""
        seen, inputs = self.model.measured, self.model.inputs
        left = np.diagonal(self.observed_credits - self.credits)[seen]
        return np.concatenate(
            [
                (self.observed - self.expected)[tuple(self.model.edges)],
                self.observed_inputs[inputs, np.arange(len(inputs))],
                0.5 * self.psi[seen] * left,
            ]
        )

    def among_parameters(self, of_edges: Floats) -> Floats:
        """Covariances of the scores of all parameters; those with edges are there already."""
        seen, inputs, edges = self.model.measured, self.model.inputs, of_edges.shape[1]
        gram = np.zeros((len(of_edges), len(of_edges)))
        gram[:, :edges], gram[:edges] = of_edges, of_edges.T
        last = edges + len(inputs)
        gram[edges:last, edges:last] = self.xx * self.credits[np.ix_(inputs, inputs)]
        scaled = self.psi[seen, None] * self.credits[np.ix_(seen, seen)]
        gram[last:, last:] = 0.5 * scaled * scaled.T
        return gram


def structural_score(
    measured: tuple[Any, Any],
    perturbations: tuple[Any, Any] | None,
    known_edges: Any,
    nodes: int | Sequence[str],
    *,
    statistic: Statistic = "z",
    project: bool | None = None,
    prior_std: float = _PRIOR_STD,
    n_starts: int = 1,
    seed: int = 0,
    verbose: bool | None = None,
) -> Floats:
    """Evidence for each edge that a linear model of the known graph lacks: modification indices.

    The model is ``v = B v + G x + e`` over all nodes, with weights B on the known edges only and
    independent normal noise e; of v the measured nodes are seen, the hidden ones are integrated
    out. It is fitted by maximum likelihood; an edge scores by how fast the likelihood would rise
    with its weight: the product of what the model believes of the source, given inputs and
    measurements, and of the residuals that it carries back to the target.

    Parameters
    ----------
    measured, perturbations : pair of (values of shape (rows, K), nodes of shape (K,))
        Values of measured nodes and inputs of perturbed ones, with the node of each column, by
        index or by name; rows are the same samples. Columns are standardized here. None for no
        inputs.
    known_edges : array-like of whole numbers, shape (2, E)
        Self-edges are left out.
    nodes : int or sequence of str
        The number of nodes N, or their names.
    statistic : {"z", "bayes_factor"}
        ``|u| / sqrt(I)``, with the derivative u of the log likelihood and its variance I: the
        square is the modification index [1]_, chi-squared of one degree of freedom. Or the
        logarithm of the Bayes factor of an edge with a normal weight, which weighs what can be
        known of a pair.
    project : bool, optional
        Take out of u what the fitted parameters could explain themselves [2]_: edges rank better,
        and z is calibrated; without it z is too small, by a tenth or so. Takes N^2 times the
        squared number of parameters: 0.3 s for 100 nodes. By default where that is at most 2e11,
        some 300 nodes.
    prior_std : float
        Of the weight in the Bayes factor, where measured values have a standard deviation of 1.
    n_starts, seed : int
        Fits from random weights, of which the most likely is taken.
    verbose : bool, optional
        Show the progress, with the time and memory that the fit takes.

    Returns
    -------
    float64 array of shape (N, N)
        ``[i, j]`` is of the edge i -> j; the diagonal has the least of all values.

    Raises
    ------
    TypeError, ValueError
        For values that do not go with their nodes, unknown names, NaN, constant columns, no more
        rows than measured nodes, edges outside of the nodes, a graph whose effects have no finite
        sum (I - B is singular).
    ImportError
        Without SciPy.

    Warns
    -----
    UserWarning
        Before a fit of more than two minutes, with the time and memory that it takes.

    Notes
    -----
    Only second moments are used, so rows cost next to nothing. A step of the fit takes O(N^3), and
    there are some 300: 0.3 s in all for 100 nodes, two minutes for 1,000 nodes with 500 measured
    and 3,000 edges. Peak memory: about 16 matrices (N, N). A weak normal prior (standard deviation
    10) keeps weights of unidentified edges finite.

    References
    ----------
    .. [1] D. Sörbom (1989). Model modification. Psychometrika 54, 371-384.
    .. [2] C. R. Rao (1948). Large sample tests of statistical hypotheses concerning several
       parameters. Mathematical Proceedings of the Cambridge Philosophical Society 44, 50-57.

    Examples
    --------
    A chain a -> b -> c with an edge from a to c that nobody told:

    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.standard_normal((2, 200, 3))
    >>> a = x[:, 0] + noise[:, 0]
    >>> b = a + x[:, 1] + noise[:, 1]
    >>> c = a + b + x[:, 2] + noise[:, 2]
    >>> values = np.stack([a, b, c], axis=1)
    >>> z = structural_score((values, "abc"), (x, "abc"), [[0, 1], [1, 2]], list("abc"))
    >>> np.unravel_index(z.argmax(), z.shape), z[0, 2] > 5
    ((np.int64(0), np.int64(2)), np.True_)
    """
    _validation.choice("statistic", statistic, STATISTICS)
    project = None if project is None else _validation.flag("project", project)
    if not 0 < float(prior_std) < np.inf:
        raise ValueError(f"prior_std must be a positive number; got {prior_std}")
    seed = _validation.whole_number("seed", seed, least=0)
    n_starts = _validation.whole_number("n_starts", n_starts, least=1)
    count, names = node_count(nodes)
    values, inputs = paired_values(measured, perturbations, count, names)
    assert values is not None
    ways = [(statistic, project, float(prior_std))]
    return next(
        structural_scores(values, inputs, known_edges, count, ways, n_starts, seed, verbose)
    )


def structural_scores(
    measured: NodeValues,
    perturbations: NodeValues | None,
    known_edges: Any,
    count: int,
    ways: Sequence[tuple[Statistic, bool | None, float]],
    n_starts: int = 1,
    seed: int = 0,
    verbose: bool | None = None,
) -> Iterator[Floats]:
    """Scores of one fit, (N, N), for each way of (statistic, project, prior_std)."""
    edges = _validation.edge_index("known_edges", known_edges, (count, count))
    edges = np.unique(edges[:, edges[0] != edges[1]], axis=1)
    if perturbations is None:
        empty = np.empty((len(measured.values), 0))
        perturbations = NodeValues(empty, np.empty(0, np.int64))
    y, x = (
        _standardized(name, values)
        for name, values in (("measured", measured), ("perturbations", perturbations))
    )
    rows = len(y)
    if rows <= y.shape[1]:
        raise ValueError(
            f"measured must have more rows than nodes; got {rows} rows of {y.shape[1]} nodes: "
            "measure more samples, or leave nodes out"
        )
    model = StructuralModel(count, edges, perturbations.nodes, measured.nodes)
    data = Moments(rows, x.T @ x / rows, y.T @ x / rows, y.T @ y / rows)
    theta = model.fit(data, seed=seed, n_starts=n_starts, verbose=verbose)
    feasible = (len(theta) * count) ** 2 <= _MOST_WORK
    for statistic, project, prior_std in ways:
        project = feasible if project is None else project
        u, information = model.score(theta, data, project=project)
        floor = _LEAST_INFORMATION * max(information.max(), np.finfo(float).tiny)
        squares = np.where(information > floor, u**2 / np.maximum(information, floor), 0.0)
        scores = np.sqrt(squares)
        if statistic == "bayes_factor":
            gain = prior_std**2 * np.maximum(information, floor)
            scores = 0.5 * (squares * gain / (1 + gain) - np.log1p(gain))
        np.fill_diagonal(scores, scores.min())
        yield scores


def structural_rows(
    measured: NodeValues,
    perturbations: NodeValues | None,
    known_edges: Any,
    count: int,
    seed: int,
) -> Iterator[tuple[str, Floats]]:
    """The rows of a comparison: both statistics, projected where `structural_score` does so."""
    ways: list[tuple[Statistic, None, float]] = [
        ("z", None, _PRIOR_STD),
        ("bayes_factor", None, _PRIOR_STD),
    ]
    scores = structural_scores(measured, perturbations, known_edges, count, ways, seed=seed)
    for name, matrix in zip(STRUCTURAL, scores, strict=True):
        yield name, without_self(matrix)


def _standardized(name: str, values: NodeValues) -> Floats:
    """Columns of mean 0 and variance 1; constant ones are an error."""
    columns = values.values
    constant = values.nodes[columns.max(axis=0) == columns.min(axis=0)]
    if constant.size:
        raise ValueError(
            f"the values of {name} must vary; those of nodes {_validation.listing(constant)} are "
            "constant: leave these columns out"
        )
    columns = columns - columns.mean(axis=0)
    columns = columns / np.abs(columns).max(axis=0)
    return np.asarray(columns / columns.std(axis=0))
