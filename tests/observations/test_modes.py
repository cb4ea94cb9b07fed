"""What draws or mixes is named, and switched off where it is asked for."""

import warnings

import pytest
from gsnn_models import Delegating, Nested, PlainList, TinyGSNN, blocks_of
from torch import nn

from gsnn_edges.activations.model_layout import modules_of
from gsnn_edges.activations.modes import (
    check_mode,
    drops,
    mixes_samples,
    switch,
    warn_of_mode,
    warn_of_parts,
)

UNTRACKED = nn.BatchNorm1d(7, track_running_stats=False)


def with_norm(norm):
    model = TinyGSNN().eval()
    model.ResBlocks[1].norm = norm
    return model


@pytest.mark.parametrize(
    ("module", "mixes", "draws"),
    [
        (nn.BatchNorm1d(7), True, False),
        (nn.BatchNorm2d(7).eval(), False, False),
        (nn.BatchNorm1d(7, track_running_stats=False).eval(), True, False),
        (nn.InstanceNorm1d(7), False, False),
        (nn.LayerNorm(7), False, False),
        (nn.Dropout(0.1), False, True),
        (nn.AlphaDropout(0.1), False, True),
        (nn.Dropout1d(0.1).eval(), False, False),
        (nn.Dropout(0.0), False, False),
        (nn.Linear(2, 2), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_draws_and_what_mixes_is_known(module, mixes, draws):
    assert (mixes_samples(module), drops(module)) == (mixes, draws)


def said(warn, *arguments):
    """What is warned of, and where the warning points."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(*arguments)
    assert {(w.category, w.filename) for w in caught} <= {(UserWarning, __file__)}
    return [str(w.message) for w in caught]


AT_WORK = "dropout or batch statistics are at work in "


@pytest.mark.parametrize(
    ("model", "start"),
    [
        (
            TinyGSNN(dropout=0.5),
            AT_WORK + "ResBlocks.0.dropout, ResBlocks.1.dropout, ResBlocks.2.drop",
        ),
        (TinyGSNN(norm="batch", dropout=0.5), AT_WORK + "ResBlocks.0.norm, ResBlocks.0.dropout"),
        (with_norm(nn.Dropout(0.2)), AT_WORK + "ResBlocks.1.norm: what"),
        (Nested(), AT_WORK + "gsnn.ResBlocks.0.norm"),
        (PlainList(), AT_WORK + "BatchNorm1d, BatchNorm1d, BatchNorm1d: what"),
        (
            with_norm(UNTRACKED.eval()),
            "batch statistics are at work in ResBlocks.1.norm, in evaluation",
        ),
    ],
    ids=["dropout", "both", "one trains", "nested", "plain list", "untracked"],
)
def test_what_is_at_work_is_named(model, start):
    [text] = said(warn_of_mode, model, blocks_of(model), None)
    assert text.startswith(start)
    assert 'mode="eval"' in text


def test_only_a_few_names_are_shown():
    [text] = said(warn_of_mode, TinyGSNN(norm="batch", dropout=0.5), [], None)
    assert "(6 in all)" in text
    assert text.count("ResBlocks") == 3


@pytest.mark.parametrize(
    ("model", "mode"),
    [(TinyGSNN(), None), (TinyGSNN(norm="batch").eval(), None), (TinyGSNN(dropout=0.5), "eval")],
    ids=["nothing there", "evaluation", "mode chosen"],
)
def test_there_is_no_warning_without_a_reason(model, mode):
    assert said(warn_of_mode, model, model.ResBlocks, mode) == []


@pytest.mark.parametrize(
    ("model", "size", "spoken"),
    [
        (TinyGSNN(norm="batch"), 4, 1),
        (TinyGSNN(norm="batch"), 5, 0),
        (TinyGSNN(norm="batch").eval(), 4, 0),
        (TinyGSNN(dropout=0.5), 4, 0),
        (with_norm(UNTRACKED.eval()), 4, 1),
    ],
    ids=["parts", "whole", "evaluation", "dropout", "untracked"],
)
def test_parts_that_differ_from_the_whole_are_named(model, size, spoken):
    texts = said(warn_of_parts, model, model.ResBlocks, size, 5)
    assert len(texts) == spoken
    for text in texts:
        assert text.startswith(
            "batch_size=4 changes what is captured from 5 rows: batch statistics"
        )


@pytest.mark.parametrize(
    "make", [TinyGSNN, Nested, PlainList, Delegating], ids=lambda m: m.__name__
)
def test_every_module_is_switched(make):
    model = make().train()
    modules = modules_of(model, *blocks_of(model))
    switch(modules, None)
    assert all(module.training for module in modules)
    switch(modules, "eval")
    assert not any(module.training for module in modules)
    assert len(modules) > 15


@pytest.mark.parametrize("mode", ["train", "Eval", True, 0])
def test_other_modes_are_refused(mode):
    with pytest.raises(ValueError, match=f"mode must be one of 'eval'; got {mode!r}"):
        check_mode(mode)
