"""Resampled observations: one draw for all layers, and no more passes than it takes."""

from functools import partial

import numpy as np
import pytest
import torch
from gsnn_models import MODELS, ExtraInput, PlainList, TinyGSNN, data
from model_state import assert_unchanged, global_state
from oracles import correlation
from torch import nn

from gsnn_edges.activations import capture, resampled
from gsnn_edges.activations.resampling import draw_counts, rows_are_independent

MSE = nn.MSELoss()
pytestmark = pytest.mark.filterwarnings(
    "ignore:dropout or batch statistics are at work:UserWarning"
)
INSTANT_STATISTICS = nn.BatchNorm1d(7, track_running_stats=False)


def draws_of(model, x, y, *, draws=3, rows=8, seed=0, forward_kwargs=None, crit=MSE):
    """All draws, and how many rows each forward pass saw."""
    passes = []
    counting = model.register_forward_pre_hook(lambda m, inputs: passes.append(len(inputs[0])))

    def observe(x, y, **options):
        return capture(model, crit, x, y, **options)

    options = {"draws": draws, "rows": rows, "seed": seed}
    found = list(resampled(observe, model, x, y, forward_kwargs=forward_kwargs or {}, **options))
    counting.remove()
    return found, passes


def picks_of(seed, draws, batch, rows):
    """Rows of each draw, as a generator with this seed gives them in evaluation mode."""
    generator = np.random.default_rng(seed)
    return [generator.integers(0, batch, rows) for _ in range(draws)]


def with_norm(norm):
    model = TinyGSNN().eval()
    model.ResBlocks[1].norm = norm
    return model


@pytest.mark.parametrize(
    ("model", "independent"),
    [
        (TinyGSNN(norm="batch").eval(), True),
        (TinyGSNN().train(), False),
        (with_norm(nn.Dropout().train()), False),
        (with_norm(INSTANT_STATISTICS.eval()), False),
        (with_norm(nn.InstanceNorm1d(7).eval()), True),
        (PlainList().eval(), False),
    ],
    ids=["evaluation", "training", "one trains", "instant statistics", "instance norm", "hidden"],
)
def test_rows_are_independent_unless_a_module_mixes_or_draws(model, independent):
    assert rows_are_independent(model) == independent


@pytest.mark.parametrize(
    ("model", "independent"),
    [
        (TinyGSNN(norm="batch", dropout=0.5).train(), True),
        (with_norm(INSTANT_STATISTICS), False),
    ],
    ids=["training", "instant statistics"],
)
def test_the_mode_eval_makes_rows_independent_where_it_can(model, independent):
    assert rows_are_independent(model, "eval") == independent


def test_in_the_mode_eval_the_model_runs_once():
    model, passes = TinyGSNN(dropout=0.5).train(), []
    model.register_forward_pre_hook(lambda m, inputs: passes.append(len(inputs[0])))

    def observe(x, y, **options):
        return capture(model, MSE, x, y, mode="eval", **options)

    options = {"draws": 2, "rows": 8, "seed": 0, "forward_kwargs": {}, "mode": "eval"}
    assert len(list(resampled(observe, model, *data(), **options))) == 2
    assert passes == [5]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", ["tuple input", "dict input"])
def test_inputs_in_parts_are_drawn_together(name, training):
    model = MODELS[name]().train(training)
    x, y = data()
    found, expected = (
        list(
            resampled(
                partial(capture, made, MSE), made, form, y, draws=2, rows=8, seed=0,
                forward_kwargs={},
            )
        )
        for made, form in ((model, model.form(x)), (TinyGSNN().train(training), x))
    )  # fmt: skip
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(torch.cat(one), torch.cat(two))


def test_in_evaluation_mode_the_model_runs_once():
    found, passes = draws_of(TinyGSNN().eval(), *data())
    assert (len(found), passes) == (3, [5])


def test_in_training_mode_each_draw_is_a_pass():
    found, passes = draws_of(TinyGSNN().train(), *data())
    assert (len(found), passes) == (3, [8, 8, 8])


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_each_draw_has_a_row_for_each_sample_and_pair_of_layers(training):
    found, _ = draws_of(TinyGSNN().train(training), *data(), rows=8)
    assert {tuple(part.shape) for draw in found for part in draw} == {(16, 6)}


def test_one_draw_serves_all_layers():
    model, (x, y) = TinyGSNN().eval(), data()
    a, g = capture(model, MSE, x, y)
    found, _ = draws_of(model, x, y, seed=4)
    for (drawn_a, drawn_g), pick in zip(found, picks_of(4, 3, 5, 8), strict=True):
        rows = np.concatenate([pick, 5 + pick])
        np.testing.assert_array_equal(drawn_a, a[rows])
        np.testing.assert_array_equal(drawn_g, g[rows])


@pytest.mark.parametrize("crit", [MSE, nn.MSELoss(reduction="sum")], ids=["mean", "sum"])
def test_in_evaluation_mode_draws_correlate_as_passes_over_them_do(crit):
    model = TinyGSNN(norm="batch").eval().double()
    x, y = data(rows=20, dtype=torch.float64)
    found, _ = draws_of(model, x, y, rows=30, crit=crit)
    for draw, pick in zip(found, picks_of(0, 3, 20, 30), strict=True):
        # Copies of a sample in one pass differ in their last bits; as float32 they tie.
        explicit = [part.float() for part in capture(model, crit, x[pick], y[pick])]
        result = correlation(*(part.float() for part in draw))
        np.testing.assert_allclose(result, correlation(*explicit), rtol=0, atol=1e-6)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_seed_makes_draws_repeatable(training):
    model, (x, y) = TinyGSNN(dropout=0.5).train(training), data()
    first, again, other = (draws_of(model, x, y, seed=seed)[0] for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(torch.cat(one), torch.cat(two))
    assert (torch.cat(first[0]) != torch.cat(other[0])).any()


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_draws_differ_from_each_other(training):
    model, (x, y) = TinyGSNN(dropout=0.5).train(training), data()
    first, second, _ = draws_of(model, x, y)[0]
    assert (first[0] != second[0]).any()


def test_masks_of_draws_differ_too():
    model, (x, y) = TinyGSNN(dropout=0.5).train(), data(rows=1)
    first, second, _ = draws_of(model, x, y)[0]
    assert (first[0] != second[0]).any()


def test_without_a_seed_calls_differ():
    model, (x, y) = TinyGSNN().eval(), data(rows=50)
    first, second = (draws_of(model, x, y, draws=1, seed=None)[0][0] for _ in range(2))
    assert (first[0] != second[0]).any()


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_further_tensors_are_drawn_along(training):
    model, (x, y) = ExtraInput().train(training), data()
    gain = torch.linspace(1, 2, 5)[:, None]
    drawn, _ = draws_of(model, x, y, forward_kwargs={"gain": gain, "scale": 1.0})
    expected, _ = draws_of(TinyGSNN().train(training), gain * x, y)
    for (a, g), (wanted_a, wanted_g) in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(a, wanted_a, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(g, wanted_g, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("seed", [None, 1])
def test_the_model_and_the_global_generators_do_not_move(training, seed):
    model, before = TinyGSNN(norm="batch", dropout=0.5).train(training), global_state()

    def observe(x, y, **options):
        return capture(model, MSE, x, y, **options)

    options = {"draws": 2, "rows": 8, "seed": seed, "forward_kwargs": {}}
    with assert_unchanged(model):
        for _ in resampled(observe, model, *data(), **options):
            assert global_state() == before


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(
    ("change", "error", "phrase"),
    [
        ({"y": data(6)[1]}, ValueError, "x and y must have as many rows; got 5 and 6"),
        ({"x": "abc"}, TypeError, "x must be a tensor or an array; got str"),
        ({"y": torch.tensor(1.0)}, ValueError, "y must have a row for each sample"),
        ({"x": torch.full((5, 4), torch.nan)}, ValueError, "x must be finite; got 20 NaN"),
    ],
    ids=["y longer", "x is text", "y a number", "NaN"],
)
def test_a_wrong_batch_is_refused_before_a_draw(change, error, phrase, training):
    x, y = data()
    call = {"x": x, "y": y} | change
    with pytest.raises(error, match=phrase):
        draws_of(TinyGSNN().train(training), call["x"], call["y"])


@pytest.mark.parametrize(
    "convert", [lambda x: x.numpy(), lambda x: x.tolist()], ids=["array", "list"]
)
def test_x_and_y_may_be_arrays(convert):
    model, (x, y) = TinyGSNN().train(), data()
    from_arrays, from_tensors = (
        draws_of(model, *pair)[0] for pair in ((convert(x), convert(y)), (x, y))
    )
    for one, two in zip(from_arrays, from_tensors, strict=True):
        np.testing.assert_array_equal(torch.cat(one), torch.cat(two))


def test_counts_are_those_of_the_draws():
    counts = draw_counts(5, draws=3, rows=8, seed=0)
    for count, pick in zip(counts, picks_of(0, 3, 5, 8), strict=True):
        np.testing.assert_array_equal(np.repeat(np.arange(5), count), np.sort(pick))
