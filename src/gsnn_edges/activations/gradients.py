"""Gradients of the loss with respect to what the blocks recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

# float16 has no number below 6e-8, where gradients of a mean over many samples lie. The loss is
# scaled up, and less so where a gradient then passes 65504. Powers of two round nothing.
SCALES = (2.0**15, 2.0**10, 2.0**5, 1.0, 2.0**-8)


@contextmanager
def gradients_on() -> Iterator[None]:
    """Record gradients, whatever the caller has switched off around us.

    Casts that autocast keeps until its context ends would outlive the pass: they are not kept.
    """
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_autocast_cache_enabled(cached)


def gradients(loss: Tensor, edges: Sequence[GradientEdge], half: bool) -> list[Tensor | None]:
    """Give the gradient at each edge, None where the loss does not depend on it.

    With ``half``, where float16 takes part, in float32 and by way of a scaled loss.
    """
    if not half:
        return list(torch.autograd.grad(loss, edges, allow_unused=True))
    for scale in SCALES:
        found = torch.autograd.grad(
            loss,
            edges,
            torch.full_like(loss, scale),
            retain_graph=scale != SCALES[-1],
            allow_unused=True,
        )
        if all_finite([gradient for gradient in found if gradient is not None]):
            break
    return [None if gradient is None else full(gradient) / scale for gradient in found]


def all_finite(gradients: Sequence[Tensor]) -> bool:
    """Whether no gradient overflowed; a device is asked once for all."""
    finite = [gradient.isfinite().all() for gradient in gradients]
    return not finite or bool(torch.stack(finite).all())


def full(values: Tensor) -> Tensor:
    """Give float64 as it is, and all other precisions as float32."""
    return values if values.dtype == torch.float64 else values.float()


def is_half(device: torch.device, values: Sequence[torch.dtype]) -> bool:
    """Whether float16 takes part, by these dtypes or by an autocast around the call."""
    autocast = torch.is_autocast_enabled(device.type)
    autocast = autocast and torch.get_autocast_dtype(device.type) == torch.float16
    return autocast or torch.float16 in values
