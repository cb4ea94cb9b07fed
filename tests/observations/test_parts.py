import pytest
import torch
from gsnn_models import data
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from gsnn_edges.activations.parts import data_of


def loader(rows=10, **options):
    return DataLoader(TensorDataset(*data(rows)), **({"batch_size": 3} | options))


def sizes(found):
    return [len(x) for x, _ in found.checked_batches()]


@pytest.mark.parametrize("given", [data(10), (loader(), None)])
def test_batches_come_in_order(given):
    found = data_of(*given, None if given[1] is None else 3, None, False)
    assert (found.samples, found.batch_size, found.count) == (10, 3, 4)
    assert sizes(found) == [3, 3, 3, 1]
    together = [torch.cat(sides) for sides in zip(*found.checked_batches(), strict=True)]
    torch.testing.assert_close(found.first()[0], data(10)[0][:3], rtol=0, atol=0)
    torch.testing.assert_close(together, list(data(10)), rtol=0, atol=0)


def test_a_dropped_rest_does_not_count():
    found = data_of(loader(drop_last=True), None, None, None, False)
    assert (found.samples, sizes(found)) == (9, [3, 3, 3])


def test_a_loader_moves_no_generator():
    before = torch.get_rng_state()
    assert sizes(data_of(loader(), None, None, None, False)) == [3, 3, 3, 1]
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_a_loader_without_batches_is_an_error():
    with pytest.raises(ValueError, match="at least one batch; got an empty one"):
        data_of(loader(0), None, None, None, False).first()


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(*data(10), strict=True))


def test_a_stream_needs_to_say_how_many():
    stream = DataLoader(Stream(), batch_size=3)
    with pytest.raises(ValueError, match="samples must say how many"):
        data_of(stream, None, None, None, True)
    assert sizes(data_of(stream, None, None, 10, True)) == [3, 3, 3, 1]
    for wrong in (9, 12):
        with pytest.raises(ValueError, match=r"got others up to sample \d+|x must give 12 samples"):
            sizes(data_of(stream, None, None, wrong, True))


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        (
            (loader(), data(10)[1], None, None, False),
            TypeError,
            "y and batch_size must be left out",
        ),
        ((loader(), None, 3, None, False), TypeError, "y and batch_size must be left"),
        ((*data(10), None, 9, False), ValueError, "samples must be the rows of x, 10"),
        ((loader(shuffle=True), None, None, None, False), ValueError, "make it with shuffle=False"),
        (
            (
                DataLoader(TensorDataset(*data(4)), batch_sampler=[[0, 1], [2, 3]]),
                None,
                None,
                None,
                True,
            ),
            ValueError,
            "batch_sampler of its own",
        ),
    ],
)
def test_bad_calls(arguments, error, phrase):
    with pytest.raises(error, match=phrase):
        data_of(*arguments)
