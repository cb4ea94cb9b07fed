"""Inputs in every form become tensors with a row for each sample, and come apart again."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from gsnn_models import TinyGSNN
from model_state import global_state
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from gsnn_edges.activations.batches import (
    as_arguments,
    as_batch,
    as_pair,
    check_arguments,
    cut,
    dtype_of,
    for_model,
    gathered,
    named_tensors,
    rows_in,
    take,
    tensors,
)

Pair = namedtuple("Pair", "left right")
ROWS = torch.arange(14.0).reshape(7, 2)
FORMS = {
    "tensor": ROWS,
    "tuple": (ROWS, 2 * ROWS[:, 0]),
    "dict": {"a": ROWS, "b": 3 * ROWS},
    "named tuple": Pair(ROWS, -ROWS),
}
EVERY_FORM = pytest.mark.parametrize("form", FORMS)


def assert_same(found, expected):
    """Of one type, with the same names and numbers."""
    assert type(found) is type(expected)
    if isinstance(expected, torch.Tensor):
        np.testing.assert_array_equal(found, expected)
        return
    pairs = list(zip(named_tensors("x", found), named_tensors("x", expected), strict=True))
    assert [one[0] for one, _ in pairs] == [two[0] for _, two in pairs]
    for (_, one), (_, two) in pairs:
        np.testing.assert_array_equal(one, two)


@EVERY_FORM
def test_forms_are_kept(form):
    x, y = as_pair(FORMS[form], FORMS[form])
    assert_same(x, FORMS[form])
    assert_same(y, FORMS[form])
    assert rows_in(x) == 7


@EVERY_FORM
def test_rows_are_taken_from_each_tensor(form):
    pick = torch.tensor([6, 0, 0])
    some = take(FORMS[form], pick)
    for part, whole in zip(tensors(some), tensors(FORMS[form]), strict=True):
        np.testing.assert_array_equal(part, whole[pick])
    assert (type(some), rows_in(some)) == (type(FORMS[form]), 3)


def test_parts_may_be_arrays_and_lists():
    batch = as_batch("x", (ROWS.numpy(), ROWS.tolist()))
    assert_same(batch, (ROWS, ROWS))


def test_a_list_is_rows_of_numbers():
    np.testing.assert_array_equal(as_batch("x", [[1, 2], [3, 4]]), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("x", "args", "kwargs"),
    [(ROWS, 1, []), ((ROWS, ROWS), 2, []), ({"a": ROWS, "b": ROWS}, 0, ["a", "b"])],
    ids=["tensor", "tuple", "dict"],
)
def test_a_tuple_is_spread_and_a_dict_is_named(x, args, kwargs):
    found = as_arguments(x)
    assert (len(found[0]), list(found[1])) == (args, kwargs)
    for part in (*found[0], *found[1].values()):
        assert part.requires_grad
        assert part.data_ptr() != ROWS.data_ptr()
        np.testing.assert_array_equal(part.detach(), ROWS)


def test_whole_numbers_stay_such_and_carry_no_gradient():
    whole, real = torch.arange(7), ROWS
    x = for_model((whole, real), torch.device("cpu"), TinyGSNN().double())
    assert [part.dtype for part in x] == [torch.int64, torch.float64]
    assert [part.requires_grad for part in as_arguments(x)[0]] == [False, True]


def test_the_precision_of_a_model_is_that_of_its_first_real_parameter():
    assert dtype_of(TinyGSNN().bfloat16()) == torch.bfloat16
    assert dtype_of(nn.ReLU()) is None


def test_tensors_with_a_row_for_each_sample_are_cut():
    option, other = object(), torch.ones(3)
    np.testing.assert_array_equal(cut(ROWS, slice(2, 4), 7), ROWS[2:4])
    assert cut(other, slice(2, 4), 7) is other
    assert cut(option, slice(2, 4), 7) is option


# id -> (x, error, phrase)
WRONG = {
    "text": ("abc", TypeError, "x must be a tensor or an array; got str"),
    "tensors in a list": ([ROWS, ROWS[:3]], TypeError, "got list: pass several as a tuple, or as"),
    "text in a tuple": ((ROWS, "abc"), TypeError, r"x\[1\] must be a tensor or an array; got str"),
    "text in a dict": ({"a": "b"}, TypeError, r"x\['a'\] must be a tensor or an array; got str"),
    "tuple in a tuple": (((ROWS, ROWS[:3]),), TypeError, r"x\[0\] must be a tensor or an array"),
    "no tensor": ((), ValueError, "x must hold tensors with as many rows.*got none"),
    "rows differ": (
        (ROWS, ROWS[:3]),
        ValueError,
        r"as many rows.*x\[0\] with 7, x\[1\] with 3",
    ),
    "a number inside": ({"a": torch.tensor(1.0)}, ValueError, r"x\['a'\] must have a row for each"),
    "NaN inside": (
        (ROWS, ROWS.clone().fill_diagonal_(torch.nan)),
        ValueError,
        r"x\[1\] must be finite.*column 0, 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_refused(name):
    x, error, phrase = WRONG[name]
    with pytest.raises(error, match=phrase):
        as_pair(x, ROWS)


@pytest.mark.parametrize(
    ("x", "kwargs", "error", "phrase"),
    [
        ({1: ROWS}, {}, TypeError, "names of arguments as its keys.*got 1"),
        (
            {"a": ROWS},
            {"a": 1, "b": 2},
            ValueError,
            "must not repeat arguments that x holds; got a in",
        ),
    ],
    ids=["number", "twice"],
)
def test_names_that_a_forward_pass_cannot_take_are_refused(x, kwargs, error, phrase):
    with pytest.raises(error, match=phrase):
        check_arguments(x, kwargs)


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
    options = {"batch_size": 3} | options
    return DataLoader(TensorDataset(*columns), **options)


@pytest.mark.parametrize(("given", "expected"), [(None, 3), (2, 2)])
def test_batches_of_a_loader_are_concatenated_in_order(given, expected):
    x, y, batch_size = gathered(loader(ROWS, -ROWS), None, given)
    assert_same(x, ROWS)
    assert_same(y, -ROWS)
    assert batch_size == expected


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 100},
        {"batch_size": None, "sampler": [[0, 1], [2, 3, 4, 5, 6]]},
        {"batch_size": 1, "batch_sampler": [[0, 1, 2], [3, 4, 5], [6]]},
    ],
    ids=["one batch", "sampler of batches", "batch sampler"],
)
def test_loaders_of_every_kind_are_read(options):
    x, y, batch_size = gathered(loader(ROWS, -ROWS, **options), None, None)
    assert_same(x, ROWS)
    assert_same(y, -ROWS)
    assert batch_size == {None: 5, 1: 3}.get(options["batch_size"], 7)


def test_what_is_no_loader_is_left_alone():
    assert gathered(ROWS, None, 4) == (ROWS, None, 4)


@pytest.mark.parametrize("form", ["tuple", "dict"])
def test_batches_may_hold_inputs_in_any_form(form):
    samples = [(take(FORMS[form], i), take(FORMS[form], i)) for i in range(7)]
    x, y, _ = gathered(DataLoader(Items(*samples), batch_size=3), None, None)
    assert_same(x, FORMS[form])
    assert_same(y, FORMS[form])


@pytest.mark.parametrize("shuffle", [False, True])
def test_reading_a_loader_moves_no_global_generator_and_repeats(shuffle):
    items = DataLoader(Items(*zip(ROWS, ROWS, strict=True)), batch_size=2, shuffle=shuffle)
    before = global_state()
    first, again = (gathered(items, None, None) for _ in range(2))
    assert global_state() == before
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[0].sort(0).values, ROWS)


# id -> (loader, y, error, phrase)
WRONG_LOADERS = {
    "with y": (loader(ROWS, ROWS), ROWS, TypeError, "y must be left out where x is a DataLoader"),
    "no pairs": (loader(ROWS), None, TypeError, r"pairs \(x, y\); got a batch that is a list of 1"),
    "triples": (loader(ROWS, ROWS, ROWS), None, TypeError, "got a batch that is a list of 3"),
    "tensors": (
        DataLoader(ROWS),
        None,
        TypeError,
        "got a batch that is a Tensor: have its collate_fn",
    ),
    "dicts": (DataLoader(Items({"x": 1, "y": 2})), None, TypeError, "a dict of 2"),
    "empty": (loader(ROWS[:0], ROWS[:0]), None, ValueError, "at least one batch; got an empty one"),
    "forms differ": (
        DataLoader(Items((ROWS[:1], ROWS[:1]), ({"a": ROWS[:1]}, ROWS[:1])), batch_size=None),
        None,
        ValueError,
        r"x must have the same form in all batches.*got x and x\['a'\]",
    ),
    "texts": (DataLoader([("a", "b")]), None, TypeError, r"x\[0\] must be a tensor.*got str"),
}


@pytest.mark.parametrize("name", WRONG_LOADERS)
def test_loaders_that_give_no_pairs_are_refused(name):
    x, y, error, phrase = WRONG_LOADERS[name]
    with pytest.raises(error, match=phrase):
        gathered(x, y, None)
