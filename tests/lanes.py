"""Devices of the tests that copy beside their work, as CUDA does, with tensors of the host."""

import torch

from gsnn_edges.backends.torch_streams import host_tensor, staged


class LateLanes:
    """A device of two lanes that does nothing until it is waited for; memory is its own.

    A lane is a list of steps; a mark is a lane and a number of its steps. A copy that nobody waits
    for comes last of all, so that a wait that is missing gives wrong values.
    """

    LANES = ("compute", "copy", "leave")

    def __init__(self, pinned=False):
        self.steps = {lane: [] for lane in self.LANES}
        self.done = dict.fromkeys(self.LANES, 0)
        self.pinned = pinned
        self.stages = self.blocks = 0

    def run(self, lane, upto):
        while self.done[lane] < upto:
            step = self.steps[lane][self.done[lane]]
            self.done[lane] += 1
            step()

    def put(self, lane, step):
        self.steps[lane].append(step)
        return lane, len(self.steps[lane])

    def on_host(self, x):
        return not (isinstance(x, torch.Tensor) and x.is_meta)

    def host_view(self, x):
        return host_tensor(x)

    def turned(self, x):
        return x.stride(0) < x.stride(1)

    def is_pinned(self, x):
        return self.pinned and x.is_contiguous()

    def stage(self, size, like):
        self.stages += 1
        return torch.full((size,), -1.0, dtype=like.dtype)

    def block(self, shape, like):
        self.blocks += 1
        return torch.full(shape, -2.0, dtype=like.dtype)

    def load(self, stage, x):
        return staged(stage, x)

    def copy(self, target, source, after):
        def step():
            self.run(*after)
            target.copy_(source)

        return self.put("copy", step)

    def fetch(self, stage, x, after):
        part = stage[: x.numel()].view(x.shape)

        def step():
            self.run(*after)
            part.copy_(x)

        return part, self.put("leave", step)

    def join(self, mark):
        self.put("compute", lambda: self.run(*mark))

    def mark(self):
        return "compute", len(self.steps["compute"])

    def wait(self, mark):
        self.run(*mark)

    def finish(self):
        for lane in self.LANES:
            self.run(lane, len(self.steps[lane]))


class EagerLanes(LateLanes):
    """Copies are made at once, and work as late as may be."""

    def copy(self, target, source, after):
        mark = super().copy(target, source, after)
        self.run(*mark)
        return mark

    def fetch(self, stage, x, after):
        part, mark = super().fetch(stage, x, after)
        self.run(*mark)
        return part, mark
