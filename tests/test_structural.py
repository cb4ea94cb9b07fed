"""The structural score by finite differences, SciPy, semopy, and data without a missing edge."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from scipy.stats import kstest, multivariate_normal

from gsnn_edges.baselines import structural, structural_score
from gsnn_edges.baselines.structural import Moments, StructuralModel

NODES = 8
INPUTS, MEASURED = np.array([0, 3, 5]), np.array([1, 2, 4, 6, 7])
# A cycle 1 -> 2 -> 1 and a hidden node in the middle of a path.
EDGES = np.array([[0, 1, 2, 3, 0, 5, 4, 6], [1, 2, 1, 4, 3, 6, 7, 7]])


def small(rows=60, measured=MEASURED):
    """Draw a model with its parameters, rows of x and y, and their moments."""
    rng = np.random.default_rng(0)
    model = StructuralModel(NODES, EDGES, INPUTS, measured)
    theta = rng.uniform(-0.6, 0.6, EDGES.shape[1] + len(INPUTS) + len(measured))
    x, y = rng.standard_normal((rows, len(INPUTS))), rng.standard_normal((rows, len(measured)))
    return model, theta, x, y, Moments(rows, x.T @ x / rows, y.T @ x / rows, y.T @ y / rows)


def test_gradient_is_that_of_finite_differences():
    model, theta, *_, moments = small()
    numeric = approx_fprime(theta, lambda at: model.loss(at, moments)[0], 1e-7)
    assert_allclose(model.loss(theta, moments)[1], numeric, atol=1e-6)


def test_loss_is_the_likelihood_of_scipy():
    model, theta, x, y, moments = small()
    weights, gains, psi = model.split(theta)
    B = np.zeros((NODES, NODES))
    B[EDGES[1], EDGES[0]] = weights
    seen = np.linalg.inv(np.eye(NODES) - B)[MEASURED]
    covariance = (seen * psi) @ seen.T
    logs = [
        multivariate_normal(mean=seen[:, INPUTS] @ (gains * row), cov=covariance).logpdf(values)
        for row, values in zip(x, y, strict=True)
    ]
    constant = 0.5 * len(MEASURED) * np.log(2 * np.pi)
    penalty = 0.5 * 0.01 / len(x) * weights @ weights
    assert_allclose(model.loss(theta, moments)[0], -np.mean(logs) - constant + penalty, rtol=1e-7)


def test_score_is_the_derivative_by_an_edge_of_weight_zero():
    model, theta, *_, moments = small()
    u, information = model.score(theta, moments)
    for i, j in np.argwhere(~np.eye(NODES, dtype=bool)):
        more = StructuralModel(NODES, np.insert(EDGES, 0, [i, j], axis=1), INPUTS, MEASURED)
        gradient = more.loss(np.insert(theta, 0, 0.0), moments)[1]
        assert_allclose(u[i, j], -moments.rows * gradient[0], atol=1e-6)
    assert (information >= -1e-9).all()


def test_projected_information_is_that_of_the_whole_matrix():
    """A pair's part of the inverse Fisher information, by differences of the mean gradient.

    Where the moments are those of the model, the Hessian of the loss is the information. All nodes
    are measured, as otherwise that of the parameters is singular.
    """
    every = np.arange(NODES)
    model, theta, *_, moments = small(400, every)
    weights, gains, psi = model.split(theta)
    seen = model.effects(weights)
    of_x = seen[:, INPUTS] * gains
    sigma = (seen * psi) @ seen.T
    yy = of_x @ moments.xx @ of_x.T + sigma
    exact = Moments(10**6, moments.xx, of_x @ moments.xx, yy)
    information = model.score(theta, exact, project=True)[1]
    for i, j in ((3, 7), (4, 6), (0, 4), (7, 5)):
        more = StructuralModel(NODES, np.insert(EDGES, 0, [i, j], axis=1), INPUTS, every)
        at = np.insert(theta, 0, 0.0)
        steps = 1e-5 * np.eye(len(at))
        hessian = [more.loss(at + h, exact)[1] - more.loss(at - h, exact)[1] for h in steps]
        fisher = 1e6 * np.array(hessian) / 2e-5
        own = fisher[0, 0] - fisher[0, 1:] @ np.linalg.solve(fisher[1:, 1:], fisher[1:, 0])
        assert_allclose(information[i, j], own, rtol=1e-3)


def test_weights_and_squares_are_those_of_semopy():
    """Numbers of docs/studies/semopy_oracle.py: weights, and falls of chi-squared by an edge."""
    x1, x2, *noise = np.random.default_rng(7).standard_normal((6, 400))
    a = noise[0]
    b = 0.8 * a + x1 + noise[1]
    c = -0.6 * b + 0.5 * x2 + noise[2]
    y = np.stack([a, b, c, 0.7 * c + 0.15 * a + noise[3]], axis=1)
    x, known = np.stack([x1, x2], axis=1), np.array([[0, 1, 2], [1, 2, 3]])
    z = structural_score((y, range(4)), (x, [1, 2]), known, 4, project=True)
    # The squared score is a parabola's fall: 5% of 18.3, less of less.
    assert_allclose(z[0, 2] ** 2, 0.4451, rtol=0.01)
    assert_allclose(z[0, 3] ** 2, 18.3038, rtol=0.06)
    assert_allclose(z[1, 3] ** 2, 5.4384, rtol=0.01)
    x, y = ((part - part.mean(axis=0)) / part.std(axis=0) for part in (x, y))
    moments = Moments(400, x.T @ x / 400, y.T @ x / 400, y.T @ y / 400)
    theta = StructuralModel(4, known, np.array([1, 2]), np.arange(4)).fit(moments)
    assert_allclose(theta[:5], [0.51078, -0.6817, 0.71278, 0.57546, 0.32332], atol=3e-4)


def without_a_missing_edge(nodes=40, rows=1_000, seed=0):
    """Half-hidden data of a linear model, all of whose edges are known."""
    rng = np.random.default_rng(seed)
    edges = rng.permutation(np.argwhere(~np.eye(nodes, dtype=bool)))[: nodes + 10].T
    B = np.zeros((nodes, nodes))
    B[edges[1], edges[0]] = rng.uniform(0.2, 0.6, edges.shape[1])
    perturbed, measured = (rng.permutation(nodes)[:k] for k in (nodes // 3, nodes // 2))
    x = rng.standard_normal((rows, len(perturbed)))
    drive = 0.5 * rng.standard_normal((rows, nodes))
    drive[:, perturbed] += x
    values = np.linalg.solve(np.eye(nodes) - B, drive.T).T
    return (values[:, measured], measured), (x, perturbed), edges


def test_z_is_calibrated_where_no_edge_is_missing():
    roots, below = [], []
    for seed in range(4):
        y, x, edges = without_a_missing_edge(seed=seed)
        z = structural_score(y, x, edges, 40)
        free = z > 1e-3 * z.max()  # some pairs leave no trace
        np.fill_diagonal(free, False)
        free[tuple(edges)] = False
        roots.append(np.sqrt((z[free] ** 2).mean()))
        below.append(kstest(z[free], "halfnorm").statistic)
    assert 0.9 < np.mean(roots) < 1.2, roots
    assert np.mean(below) < 0.1, below


def test_names_order_and_self_edges_change_nothing():
    y, x, edges = without_a_missing_edge(rows=200)
    names = [f"n{k}" for k in range(40)]
    wanted = structural_score(y, x, edges, 40, statistic="bayes_factor")
    named = [(values, [names[k] for k in nodes]) for values, nodes in (y, x)]
    more = np.concatenate([edges[:, ::-1], edges[:, :3], [[1], [1]]], axis=1)
    scaled = (4 * named[0][0], named[0][1])
    found = structural_score(scaled, named[1], more, names, statistic="bayes_factor")
    assert_array_equal(found, wanted)
    assert_array_equal(np.diagonal(found), found.min())
    assert structural_score(y, None, edges, 40).shape == (40, 40)


def test_a_long_fit_says_so_before_it_begins(monkeypatch):
    monkeypatch.setattr(structural, "_LONG", 0.0)
    y, x, edges = without_a_missing_edge(rows=50)
    with pytest.warns(UserWarning, match="structural fit, about 0 s and .* kB"):
        structural_score(y, x, edges, 40)


Y, X = without_a_missing_edge(rows=30)[:2]
KNOWN = np.array([[0], [1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((Y[0][:20], Y[1]), None, KNOWN, 40), "more rows than nodes; got 20 rows of 20 nodes"),
        (((Y[0] * 0, Y[1]), X, KNOWN, 40), "values of measured must vary.*leave these"),
        ((Y, (X[0] * 0 + 1, X[1]), KNOWN, 40), "values of perturbations must vary"),
        (((Y[0] * np.nan, Y[1]), X, KNOWN, 40), "NaN"),
        ((Y, (X[0][1:], X[1]), KNOWN, 40), "same samples; got 30 and 29 rows"),
        ((Y, X, [[0], [99]], 40), "known_edges must hold targets in 0 .. 39"),
        (((Y[0], ["b"] * 20), X, KNOWN, ["a"]), "must be among the names of the nodes; got b"),
        (((Y[0], ["b"] * 20), X, KNOWN, 40), "are names, and those of all nodes are not known"),
        ((None, X, KNOWN, 40), "measured"),
    ],
)
def test_wrong_input_is_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        structural_score(*arguments)


def test_a_cycle_of_weight_one_is_refused():
    model = StructuralModel(3, np.array([[0, 1], [1, 0]]), np.array([0]), np.array([2]))
    with pytest.raises(ValueError, match=r"I - B is singular.*cycle"):
        model.effects(np.ones(2))
