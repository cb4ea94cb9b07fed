"""Inputs and targets of every form reach a model as tensors with a row for each sample."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from gsnn_models import Embedding, TinyGSNN, assert_close, data
from model_state import assert_unchanged, global_state
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from gsnn_edges import capture

MSE = nn.MSELoss()
Pair = namedtuple("Pair", "left right")
ROWS = data(rows=7)[0]


class Watching(TinyGSNN):
    """Takes its input in any form, and keeps what it got."""

    def forward(self, *parts, **named):
        self.parts = parts or named
        left, right = parts if parts else (named["left"], named["right"])
        return super().forward(torch.cat([left, right], 1))


FORMS = {
    "tuple": lambda x: (x[:, :1], x[:, 1:]),
    "named tuple": lambda x: Pair(x[:, :1], x[:, 1:]),
    "dict": lambda x: {"right": x[:, 1:], "left": x[:, :1]},
    "arrays": lambda x: (x[:, :1].numpy(), x[:, 1:].tolist()),
}


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("form", FORMS)
def test_inputs_in_parts_give_what_one_tensor_gives(form, batch_size):
    (x, y), forms, targets = data(rows=7), [], []
    model = Watching().eval()
    model.register_forward_hook(lambda m, inputs, output: forms.append(m.parts))

    def crit(prediction, target):
        targets.append(target)
        return MSE(prediction, torch.cat([*target.values()] if form == "dict" else [*target], 1))

    target = {"a": y[:, :2], "b": y[:, 2:]} if form == "dict" else Pair(y[:, :2], y[:, 2:])
    options = {"batch_size": batch_size, "loss_reduction": "mean"}
    result = capture(model, crit, FORMS[form](x), target, **options)
    assert_close(result, capture(TinyGSNN().eval(), MSE, x, y), 5e-6)
    assert {type(parts) for parts in forms} == {dict if form == "dict" else tuple}
    assert {type(target) for target in targets} == {dict if form == "dict" else Pair}


def read_only(x):
    x = x.numpy().copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.numpy(),
        lambda x: x.numpy().astype("f8"),
        lambda x: x.flip(0).numpy()[::-1],
        read_only,
        lambda x: x.tolist(),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.T.contiguous().T,
        lambda x: nn.Parameter(x),
    ],
    ids=["array", "float64", "backwards", "read-only", "list", "with gradient", "strided", "leaf"],
)
def test_x_and_y_may_be_anything_that_is_like_an_array(convert):
    model, (x, y) = TinyGSNN(), data()
    assert_close(capture(model, MSE, convert(x), convert(y)), capture(model, MSE, x, y), 2e-6)


def test_whole_numbers_stay_such_and_real_ones_take_the_models_precision():
    kinds = []

    class Mixed(Embedding):
        def forward(self, x, gain):
            kinds.append((x.dtype, gain.dtype, x.requires_grad, gain.requires_grad))
            return gain * super().forward(x)

    x = torch.arange(7).remainder(5)
    capture(Mixed().double().eval(), MSE, (x, torch.ones(7, 1)), data(7)[1])
    assert kinds == [(torch.int64, torch.float64, False, True)]


SPOILT = ROWS.clone().fill_diagonal_(torch.nan)
# id -> (x, error, phrase)
WRONG = {
    "objects": (np.full((5, 4), None), TypeError, "x must be a tensor or an array; got ndarray of"),
    "tensors in a list": ([ROWS, ROWS[:3]], TypeError, "got list: pass several as a tuple, or as"),
    "a number": (torch.tensor(1.0), ValueError, r"x must have a row.*shape \(\)"),
    "other rows": (ROWS[:6], ValueError, "x and y must have as many rows; got 6 and 7"),
    "NaN": (SPOILT, ValueError, "x must be finite; got 4 NaN.*column 0, 1, 2, 3"),
    "infinity": (ROWS / 0, ValueError, "x must be finite; got 28 NaN or infinite values"),
    "text in a tuple": ((ROWS, "abc"), TypeError, r"x\[1\] must be a tensor or an array; got str"),
    "no tensor": ((), ValueError, "x must hold tensors with as many rows.*got none"),
    "rows differ": ((ROWS, ROWS[:3]), ValueError, r"as many rows.*x\[0\] with 7, x\[1\] with 3"),
    "a number inside": ({"a": torch.tensor(1.0)}, ValueError, r"x\['a'\] must have a row for each"),
    "NaN inside": ((ROWS, SPOILT), ValueError, r"x\[1\] must be finite.*column 0, 1"),
    "names that are none": ({1: ROWS}, TypeError, "names of arguments as its keys.*got 1"),
    "argument twice": (
        {"gain": ROWS}, ValueError, "must not repeat arguments that x holds; got gain in both",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_refused(name):
    x, error, phrase = WRONG[name]
    model, options = TinyGSNN(), {"forward_kwargs": {"gain": 1}}
    with assert_unchanged(model), pytest.raises(error, match=phrase):
        capture(model, MSE, x, data(7)[1], **options)
    if name in ("NaN", "a number"):
        with pytest.raises(error, match=phrase.replace("x must", "y must")):
            capture(model, MSE, ROWS, x)


def test_further_arguments_must_have_names():
    with pytest.raises(
        TypeError, match=r"forward_kwargs must be a mapping.*got \[1\]: pass a dict"
    ):
        capture(TinyGSNN(), MSE, *data(), forward_kwargs=[1])


# Loaders


class Items(Dataset):
    """Samples in any form; draws from the global generators, as an augmentation may."""

    def __init__(self, *samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, place):
        np.random.random()  # noqa: NPY002 - the global generator is the point
        torch.rand(1)
        return self.samples[place]


def loader(*columns, **options):
    return DataLoader(TensorDataset(*columns), **({"batch_size": 3} | options))


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"batch_size": 100}, [7]),
        ({"batch_size": None, "sampler": [[0, 1], [2, 3, 4, 5, 6]]}, [5, 2]),
        ({"batch_size": 1, "batch_sampler": [[0, 1, 2], [3, 4, 5], [6]]}, [3, 3, 1]),
    ],
    ids=["one batch", "sampler of batches", "batch sampler"],
)
def test_loaders_of_every_kind_are_read_in_their_order(options, sizes):
    model, passes, (x, y) = TinyGSNN().eval(), [], data(7)
    expected = capture(model, MSE, x, y)
    model.register_forward_pre_hook(lambda m, inputs: passes.append(len(inputs[0])))
    assert_close(capture(model, MSE, loader(x, y, **options)), expected, 5e-6)
    assert passes == sizes


@pytest.mark.parametrize("shuffle", [False, True])
def test_reading_a_loader_moves_no_global_generator_and_repeats(shuffle):
    (x, y), model = data(7), TinyGSNN().eval()
    items = DataLoader(Items(*zip(x, y, strict=True)), batch_size=2, shuffle=shuffle)
    before = global_state()
    first, again = (capture(model, MSE, items) for _ in range(2))
    assert global_state() == before
    np.testing.assert_array_equal(first[0], again[0])
    order = lambda a: np.sort(a[:7].numpy(), axis=0)  # noqa: E731
    np.testing.assert_allclose(order(first[0]), order(capture(model, MSE, x, y)[0]), atol=1e-6)


# id -> (loader, y, error, phrase)
WRONG_LOADERS = {
    "with y": (loader(ROWS, ROWS), ROWS, TypeError, "y must be left out where x is a DataLoader"),
    "no pairs": (loader(ROWS), None, TypeError, r"pairs \(x, y\); got a batch that is a list of 1"),
    "tensors": (DataLoader(ROWS), None, TypeError, "a batch that is a Tensor: have its collate_fn"),
    "dicts": (DataLoader(Items({"x": 1, "y": 2})), None, TypeError, "a dict of 2"),
    "empty": (loader(ROWS[:0], ROWS[:0]), None, ValueError, "at least one batch; got an empty one"),
    "forms differ": (
        DataLoader(Items((ROWS[:1], ROWS[:1]), ({"a": ROWS[:1]}, ROWS[:1])), batch_size=None),
        None, ValueError, r"x must have the same form in all batches.*got x and x\['a'\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_LOADERS)
def test_loaders_that_give_no_pairs_are_refused(name):
    x, y, error, phrase = WRONG_LOADERS[name]
    with pytest.raises(error, match=phrase):
        capture(TinyGSNN(), MSE, x, y)
