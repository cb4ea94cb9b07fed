"""Options are spelled as the package spells them."""

from typing import get_args

import click
import pytest

from gsnn_edges import _typing, scoring
from gsnn_edges import layer_pairs as layers
from gsnn_edges import options as arguments
from gsnn_edges.activations.nodes import AGGS, NORMS
from gsnn_edges.cli import options
from gsnn_edges.evaluation import evaluation


@pytest.mark.parametrize(
    ("own", "packages"),
    [
        (options.BACKENDS, arguments.BACKENDS),
        (options.METHODS, get_args(_typing.Method)),
        (options.TIES, get_args(_typing.Ties)),
        (options.PRECISIONS, arguments.PRECISIONS),
        (options.SCORES, scoring.SCORES),
        (options.SCORE_CHOICES, scoring.SCORE_CHOICES),
        (options.LAYERS, layers.LAYERS),
        (options.NORMS, NORMS),
        (options.AGGS, AGGS),
        (options.DIRECTIONS, evaluation.AXES),
    ],
)
def test_choices_are_those_of_the_package(own, packages):
    assert tuple(own) == tuple(packages)


@pytest.mark.parametrize(("text", "value"), [("pooled", "pooled"), ("3", 3), (2, 2)])
def test_layers_are_a_name_or_a_number(text, value):
    assert options.LayerChoice().convert(text, None, None) == value


@pytest.mark.parametrize("text", ["all", "-1", "1.5"])
def test_other_layers_are_refused(text):
    with pytest.raises(click.BadParameter, match="is none of pooled, mean, last"):
        options.LayerChoice().convert(text, None, None)


@pytest.mark.parametrize(("text", "error"), [("-1", "not in the range"), (str(2**63), "too large")])
def test_a_seed_is_one_that_generators_take(text, error):
    with pytest.raises(click.BadParameter, match=error):
        options.SEED.convert(text, None, None)
    assert options.SEED.convert(str(2**63 - 1), None, None) == 2**63 - 1
