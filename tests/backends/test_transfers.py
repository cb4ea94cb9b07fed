"""Blocks arrive whole and in order, though copies and work are done as late as they may be."""

import numpy as np
import pytest
from libraries import require

from gsnn_edges.backends import transfers
from gsnn_edges.backends.transfers import Feed, PatientFeed, StagedFeed

require("torch")
import torch  # noqa: E402
from lanes import EagerLanes, LateLanes  # noqa: E402


def matrix(order, rows=40, columns=90):
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    return np.asarray(x, order=order)


def through(feed, lanes, x, size):
    """Sums of blocks of columns, computed when the lanes get round to it."""
    sums = []

    def work(block):
        lanes.put("compute", lambda: sums.append(block.sum(1).clone()))

    with feed:
        for start in range(0, x.shape[1], size):
            work(feed.take(x[:, start : start + size].T))
            feed.release(None)
    lanes.finish()
    return torch.cat(sums).numpy()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("size", [1, 7, 30, 90])
@pytest.mark.parametrize("stage", [64, 1000, 1 << 20])
@pytest.mark.parametrize("kind", [LateLanes, EagerLanes])
def test_every_block_arrives_as_it_was(kind, order, pinned, size, stage, monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", stage)
    lanes, x = kind(pinned), matrix(order)
    feed = StagedFeed(lambda block: block, lanes)
    found = through(feed, lanes, x, size)
    np.testing.assert_allclose(found, x.sum(0), rtol=0, atol=1e-5)


def careless(kind, mistake):
    """Leave out one of the waits."""
    lanes = kind()
    start = "compute", 0
    copy = lanes.copy
    without = {
        "join": lambda mark: None,
        "wait": lambda mark: None,
        "mark": lambda: start,
        "copy": lambda target, source, after: copy(target, source, start),
    }
    setattr(lanes, mistake, without[mistake])
    return lanes


@pytest.mark.parametrize(
    ("kind", "mistake"),
    [(LateLanes, "join"), (LateLanes, "wait"), (EagerLanes, "mark"), (EagerLanes, "copy")],
)
def test_the_devices_of_these_tests_show_a_wait_that_is_missing(kind, mistake, monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", 200)
    lanes, x = careless(kind, mistake), matrix("C")
    found = through(StagedFeed(lambda block: block, lanes), lanes, x, 10)
    assert np.abs(found - x.sum(0)).max() > 1e-3


def test_buffers_are_few_and_used_again(monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", 400)
    lanes = LateLanes()
    through(StagedFeed(lambda block: block, lanes), lanes, matrix("C"), 10)
    assert (lanes.stages, lanes.blocks) == (transfers.STAGES, transfers.BLOCKS)


def test_pinned_memory_needs_no_buffer_and_is_waited_for():
    lanes, x = LateLanes(pinned=True), matrix("F")
    feed = StagedFeed(lambda block: block, lanes)
    with feed:
        block = feed.take(x[:, :10].T)
    # The caller may write to it as soon as the feed has ended.
    x[:] = 0
    assert lanes.stages == 0
    np.testing.assert_array_equal(block.numpy(), matrix("F")[:, :10].T)


@pytest.mark.parametrize("pinned", [False, True])
def test_after_an_error_no_copy_reaches_what_its_room_is_given_to(pinned, monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", 400)
    lanes, x = LateLanes(pinned), matrix("F")
    send, asked = StagedFeed.send, []

    def fails(self, target, source, free):
        if asked:
            raise RuntimeError("stop")
        asked.append(target)
        return send(self, target, source, free)

    monkeypatch.setattr(StagedFeed, "send", fails)
    with pytest.raises(RuntimeError, match="stop"), StagedFeed(lambda x: x, lanes) as feed:
        feed.take(x[:, :30].T)
    lanes.put("compute", lambda: asked[0].fill_(5))
    lanes.finish()
    np.testing.assert_array_equal(asked[0], np.full(asked[0].shape, 5))


def test_what_lies_on_the_device_is_moved_by_the_backend():
    moved = []
    feed = StagedFeed(lambda x: moved.append(x) or x, LateLanes())
    x = torch.empty(3, 4, device="meta")
    assert feed.take(x) is x
    feed.release(x)
    assert moved[0] is x


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_an_empty_block_is_moved_by_the_backend(shape):
    x = np.zeros(shape, np.float32)
    assert StagedFeed(lambda block: block, LateLanes()).take(x) is x


def test_a_plain_feed_moves_what_it_is_given():
    with Feed(lambda x: x + 1) as feed:
        assert feed.take(1) == 2
        feed.release(2)


def test_a_patient_feed_lets_no_work_pile_up():
    waited = []
    feed = PatientFeed(lambda x: x, lambda x: waited.append(int(x[0, 0])))
    for number in range(5):
        feed.take(number)
        feed.release(np.full((3, 3), number))
        assert waited == list(range(number - 1))
