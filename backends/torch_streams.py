"""Copies to and from a CUDA device beside its work, by streams of their own."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class CudaLanes:
    """The lanes of a CUDA device: the current stream computes, others copy, there and back."""

    device: torch.device
    copying: Any = field(init=False)
    leaving: Any = field(init=False)

    def __post_init__(self) -> None:
        for lane in ("copying", "leaving"):
            object.__setattr__(self, lane, torch.cuda.Stream(self.device))  # type: ignore[no-untyped-call]

    def on_host(self, x: Any) -> bool:
        """Whether torch can read an array in host memory."""
        return on_host(x)

    def host_view(self, x: Any) -> Tensor:
        """Give a tensor over the same memory."""
        return read_tensor(x)

    def turned(self, x: Tensor) -> bool:
        """Whether columns lie nearer together than rows."""
        return x.stride(0) < x.stride(1)

    def is_pinned(self, x: Tensor) -> bool:
        """Whether the device can read a tensor by itself, as it lies."""
        return x.is_contiguous() and x.is_pinned()

    def stage(self, size: int, like: Tensor) -> Tensor:
        """Make a flat pinned buffer."""
        return torch.empty(size, dtype=like.dtype, pin_memory=True)

    def block(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Make room on the device."""
        return torch.empty(shape, dtype=like.dtype, device=self.device)

    def load(self, stage: Tensor, x: Tensor) -> Tensor:
        """Copy to a buffer, at once."""
        return staged(stage, x)

    def copy(self, target: Tensor, source: Tensor, after: Any) -> Any:
        """Copy behind a mark, on the stream for copies."""
        self.copying.wait_event(after)
        with torch.cuda.stream(self.copying):
            target.copy_(source, non_blocking=True)
        return self.copying.record_event()

    def fetch(self, stage: Tensor, x: Tensor, after: Any) -> tuple[Tensor, Any]:
        """Copy to a buffer of the host behind a mark, on the stream for what leaves."""
        part = stage[: x.numel()].view(x.shape)
        self.leaving.wait_event(after)
        with torch.cuda.stream(self.leaving):
            part.copy_(x, non_blocking=True)
        return part, self.leaving.record_event()

    def join(self, mark: Any) -> None:
        """Let the current stream wait."""
        torch.cuda.current_stream(self.device).wait_event(mark)

    def mark(self) -> Any:
        """Mark what the current stream has been asked for."""
        return torch.cuda.current_stream(self.device).record_event()

    def wait(self, mark: Any) -> None:
        """Let the host wait."""
        mark.synchronize()


def on_host(x: Any) -> bool:
    """Whether an array is one of NumPy, or a tensor on the CPU."""
    return isinstance(x, np.ndarray) or (isinstance(x, Tensor) and x.device.type == "cpu")


def host_tensor(x: Any) -> Tensor:
    """Give an array of the host as a tensor, over the same memory where torch can."""
    if isinstance(x, Tensor):
        return x.detach()
    # torch has neither read-only nor backwards views: such an array is copied.
    shared = x.flags.writeable and min(x.strides, default=0) >= 0
    return torch.from_numpy(x if shared else x.copy())


def read_tensor(x: Any) -> Tensor:
    """Give an array of the host as a tensor that is only read, over its memory if it is locked too.

    A copy of a read-only matrix would turn it besides.
    """
    if isinstance(x, Tensor) or x.flags.writeable:
        return host_tensor(x)
    return host_tensor(np.asarray(Unlocked(x)))


class Unlocked:
    """An array that NumPy takes for one that may be written to."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x  # its memory must stay
        facts = x.__array_interface__
        self.__array_interface__ = {**facts, "data": (facts["data"][0], False)}


def staged(stage: Tensor, x: Tensor) -> Tensor:
    """Give the part of a flat buffer that now holds ``x``."""
    part = stage[: x.numel()].view(x.shape)
    part.copy_(x)
    return part


def own_copy(x: Any) -> Tensor:
    """Copy what another library lends through dlpack, on its device.

    The copy has been made when this returns: the library may then use the memory again.
    """
    copy: Tensor = torch.utils.dlpack.from_dlpack(x).clone()
    if copy.is_cuda:
        torch.cuda.current_stream(copy.device).synchronize()
    return copy
