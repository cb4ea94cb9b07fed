"""The score that the known edges choose: ranks and errors equal slow loops."""

import json

import numpy as np
import pytest
from oracles import reciprocal_ranks

from gsnn_edges.choosing import CLEAR, LEAST_SOURCES, in_standard_errors, standing

NODES = 14
RING = np.stack([np.arange(NODES), (np.arange(NODES) + 1) % NODES])
TWICE = np.concatenate([RING, [np.arange(NODES), (np.arange(NODES) + 5) % NODES]], axis=1)


def scores(found, of=TWICE, seed=0, below=False):
    """Noise, with so many known edges above all others, or with all the rest below."""
    noise = np.random.default_rng(seed).random((NODES, NODES))
    noise[*of[:, :found]] += 1
    if below:
        noise[*of[:, found:]] -= 1
    return noise


def without_self(matrix):
    """A self-edge is no candidate: below all."""
    return np.where(np.eye(NODES, dtype=bool), -np.inf, matrix)


def robust_error(differences, sources):
    """Standard error of a mean, source by source."""
    mean = differences.mean()
    sums = [(differences[sources == source] - mean).sum() for source in np.unique(sources)]
    units = len(sums)
    return np.sqrt(units / (units - 1) * np.square(sums).sum()) / len(differences)


def by_chance(edges):
    """Mean of 1 / rank over all ranks of each edge among its rivals."""
    known = [np.count_nonzero(edges[0] == source) for source in edges[0]]
    return np.mean([np.mean(1 / np.arange(1, NODES - k + 1)) for k in known])


@pytest.mark.parametrize("edges", [RING, TWICE], ids=["one a source", "two a source"])
def test_means_and_errors_are_those_of_a_loop(edges):
    magnitude, channels = scores(9), scores(2, seed=1)
    found = standing(magnitude, channels, edges)
    own, other = (reciprocal_ranks(without_self(W), edges, edges) for W in (magnitude, channels))
    expected = by_chance(edges)
    # Chance is the same for all edges here, so that only the ranks vary.
    z_score = (own.mean() - expected) / robust_error(own, edges[0])
    np.testing.assert_allclose(
        [found.magnitude, found.channels, found.chance, found.z_score],
        [own.mean(), other.mean(), expected, z_score],
    )


def test_the_error_of_one_edge_a_source_is_the_textbooks():
    values = np.random.default_rng(0).random(30)
    expected = values.mean() / (values.std(ddof=1) / np.sqrt(30))
    np.testing.assert_allclose(in_standard_errors(values, np.arange(30)), expected)


@pytest.mark.parametrize(
    ("magnitude", "channels", "score"),
    [
        (scores(24), scores(0, seed=1), "magnitude"),
        (scores(0), scores(24, seed=1), "channels"),
        (scores(12), scores(24, seed=1), "channels"),
        (scores(24), scores(24), "channels"),
        (scores(0), scores(0, seed=1, below=True), "channels"),
    ],
    ids=["finds them", "finds none", "finds fewer", "the same", "better, but by chance"],
)
def test_magnitudes_must_be_better_and_beat_chance(magnitude, channels, score):
    assert standing(magnitude, channels, TWICE).score == score


def test_it_is_not_enough_to_be_better_than_a_score_below_chance():
    found = standing(scores(0), scores(0, seed=1, below=True), TWICE)
    assert found.channels < found.chance
    assert found.channels < found.magnitude
    assert found.z_score < CLEAR


def test_self_edges_repeats_and_their_order_do_not_count():
    magnitude, channels = scores(9), scores(2, seed=1)
    given = np.concatenate([TWICE[:, ::-1], TWICE[:, :5], [[3, 4], [3, 4]]], axis=1)
    assert standing(magnitude, channels, given) == standing(magnitude, channels, TWICE)


@pytest.mark.parametrize("sources", [0, 1, LEAST_SOURCES - 1])
def test_few_known_edges_choose_nothing(sources):
    found = standing(scores(24), scores(0, seed=1), RING[:, :sources])
    assert found.score == "channels"
    assert json.loads(json.dumps(found.as_json())) == dict.fromkeys(vars(found))


@pytest.mark.parametrize(("value", "expected"), [(0.5, np.inf), (-0.5, -np.inf), (0.0, 0.0)])
def test_a_mean_without_spread_is_certain(value, expected):
    assert in_standard_errors(np.full(12, value), np.arange(12)) == expected
