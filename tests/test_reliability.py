"""docs/reliability.md is about the models and cases that the tests have now."""

import re

import click
import numpy as np
import pytest
import reliability
import torch
from gsnn_models import MODELS, TinyGSNN, data
from reliability import BACKENDS, BOUND, FITS, PAGE, Found, fitted, guarded_fit, page, stale

from gsnn_edges import FunctionEdgeInferer


def test_the_page_lists_the_models_and_counts_of_today():
    assert stale(PAGE.read_text()) == [], f"run {reliability.COMMAND}"


@pytest.fixture
def written(monkeypatch):
    """A page as it would be written, without the measurements."""
    monkeypatch.setattr(reliability, "wrong_calls", lambda: ["a", "b"])
    found = {name: dict.fromkeys(BACKENDS, Found(1e-8, True)) for name in MODELS}
    return page(found, dict.fromkeys(FITS, 10**6), reliability.counts(), "1234567", "2 cores")


def test_a_page_of_today_is_not_stale(written):
    assert stale(written) == []


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        ("| plain |", "| gone |", "models on the page: .*gone"),
        ("| wrong calls | 2 |", "| wrong calls | 3 |", "counts on the page: .*'3'.*'2'"),
        ("| fuzz cases |", "| fuzzy cases |", "counts on the page: .*fuzzy"),
        ("\n## Cases\n", "\n", "counts on the page: {}"),
    ],
)
def test_a_page_of_another_day_is_stale(written, old, new, phrase):
    assert old in written
    assert re.search(phrase, "; ".join(stale(written.replace(old, new))))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fit_is_compared_with_the_oracle_and_leaves_the_model_alone(backend):
    cell = fitted("dropout", backend)
    np.testing.assert_array_less(cell.difference, BOUND)
    assert cell.unchanged


def test_a_fit_that_changes_the_model_is_seen(monkeypatch, capsys):
    fit = FunctionEdgeInferer.fit

    def careless(inferer, *arguments):
        with torch.no_grad():
            inferer.model.decode.bias += 1
        return fit(inferer, *arguments)

    monkeypatch.setattr(FunctionEdgeInferer, "fit", careless)
    assert guarded_fit(TinyGSNN().eval(), "numpy", *data(12))[1] is False
    assert "decode" in capsys.readouterr().err


def test_without_the_table_of_wrong_calls_nothing_is_counted(monkeypatch):
    monkeypatch.setattr(reliability, "find_spec", lambda name: None)
    with pytest.raises(click.ClickException, match=r"tests/mistakes.py is not there"):
        reliability.counts()
