"""Blocks leave whole and in order, though work and copies are done as late as they may be."""

import numpy as np
import pytest
from libraries import require

from gsnn_edges.backends import drains, transfers
from gsnn_edges.backends.drains import Drain, LateDrain, StagedDrain

require("torch")
import torch  # noqa: E402
from lanes import EagerLanes, LateLanes  # noqa: E402

ROWS, COLUMNS = 36, 50


def result():
    x = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    return torch.from_numpy(x)


def write(out, block, row, column):
    out[row : row + len(block), column : column + block.shape[1]] = block
    return out


def through(drain, lanes, x, size):
    """Give the result of blocks that are computed when the lanes get round to it."""
    out = torch.full(x.shape, -3.0)
    with drain:
        for row in range(0, ROWS, size):
            block, made = torch.full((size, x.shape[1]), -2.0), x[row : row + size]
            lanes.put("compute", lambda block=block, made=made: block.copy_(made))
            out = drain.put(out, block, row, 0)
        out = drain.finish(out)
    # What is there counts: a copy that nobody has waited for comes too late.
    return out.clone()


@pytest.mark.parametrize("size", [1, 4, 12, 36])
@pytest.mark.parametrize("stage", [64, 500, 1 << 20])
@pytest.mark.parametrize("kind", [LateLanes, EagerLanes])
def test_every_block_leaves_as_it_was_made(kind, size, stage, monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", stage)
    lanes, x = kind(), result()
    found = through(StagedDrain(write, lanes), lanes, x, size)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize(("kind", "mistake"), [(LateLanes, "wait"), (EagerLanes, "mark")])
def test_the_devices_of_these_tests_show_a_wait_that_is_missing(kind, mistake):
    lanes, x = kind(), result()
    without = {"wait": lambda mark: None, "mark": lambda: ("compute", 0)}
    setattr(lanes, mistake, without[mistake])
    found = through(StagedDrain(write, lanes), lanes, x, 4)
    assert float((found - x).abs().max()) > 1


class Log(LateLanes):
    """Tells the order of what is asked for."""

    def __init__(self):
        super().__init__()
        self.log = []

    def fetch(self, stage, x, after):
        self.log.append("fetch")
        return super().fetch(stage, x, after)

    def wait(self, mark):
        self.log.append("wait")
        super().wait(mark)


def test_the_next_block_is_asked_for_before_one_is_waited_for():
    lanes = Log()
    drain, out = StagedDrain(write, lanes), torch.zeros(12, 2)
    for number in range(6):
        lanes.log.append("work")
        out = drain.put(out, torch.ones(2, 2), 2 * number, 0)
    drain.finish(out)
    first = ["work", "work", "fetch", "work", "fetch", "work", "fetch"]
    assert lanes.log[: len(first)] == first
    # From here on each copy waits for the one three before it.
    assert lanes.log[len(first) :] == [
        *["work", "wait", "fetch"] * 2,
        *["wait", "fetch"],
        *["wait"] * drains.STAGES,
    ]


def test_buffers_are_few_and_used_again(monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", 400)
    lanes = LateLanes()
    through(StagedDrain(write, lanes), lanes, result(), 12)
    assert lanes.stages == drains.STAGES


def test_after_an_error_nothing_is_read_any_more():
    lanes, block = LateLanes(), torch.ones(4, 5)
    drain = StagedDrain(write, lanes)
    out = drain.put(torch.zeros(8, 5), block, 0, 0)
    drain.put(out, torch.ones(4, 5), 4, 0)
    filled = drain.under_way[0][1]
    with pytest.raises(RuntimeError, match="stop"), drain:
        raise RuntimeError("stop")
    # The copy has been made before its block may be written over.
    block.fill_(7)
    np.testing.assert_array_equal(filled, np.ones((4, 5)))
    assert not drain.under_way


def test_plain_drains_write_at_once_or_one_behind():
    moved, written = [], []

    def keep(out, block, row, column):
        written.append((block, row, column))
        return out

    for kind, expected in ((Drain, [1, 2, 2]), (LateDrain, [0, 1, 2])):
        counts = []
        written.clear()
        with kind(keep, lambda block: moved.append(block) or -block) as drain:
            for number in (1, 2):
                drain.put("out", number, number, 0)
                counts.append(len(written))
            assert drain.finish("out") == "out"
            counts.append(len(written))
        assert counts == expected
        assert written == [(-1, 1, 0), (-2, 2, 0)]


@pytest.mark.gpu
def test_blocks_leave_a_busy_device_whole(monkeypatch):
    from gsnn_edges.backends.torch_streams import CudaLanes

    monkeypatch.setattr(transfers, "STAGE_BYTES", 1 << 20)
    device = torch.device("cuda", 0)
    x = torch.randn(4000, 3000)
    busy, out = torch.ones(4000, 4000, device=device), torch.zeros(4000, 3000)
    there = x.to(device)
    with StagedDrain(write, CudaLanes(device)) as drain:
        for row in range(0, 4000, 200):
            for _ in range(5):
                busy = busy @ busy / 4000
            block = there[row : row + 200] + 0 * busy[:1, :3000]
            out = drain.put(out, block, row, 0)
            del block
        out = drain.finish(out)
    np.testing.assert_array_equal(out, x)
