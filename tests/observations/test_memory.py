"""What a capture holds at a time follows batch_size and not the number of rows."""

import pytest
import torch
from gsnn_models import TinyGSNN, data
from torch import nn

from gsnn_edges import capture

MSE = nn.MSELoss()


class Saved:
    """A tensor that waits for the backward pass; counts its bytes while it is there."""

    now = peak = 0

    def __init__(self, tensor):
        # Detached: an output that holds its own graph would never go.
        self.tensor, self.size = tensor.detach(), tensor.nbytes
        Saved.now += self.size
        Saved.peak = max(Saved.peak, Saved.now)

    def __del__(self):
        Saved.now -= self.size


def peak_of(rows, batch_size, dtype=torch.float32, **options):
    """Most bytes saved for backward at any time of a capture; all are gone at its end."""
    model, (x, y) = TinyGSNN(**options).eval().to(dtype), data(rows)
    Saved.now = Saved.peak = 0
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        capture(model, MSE, x, y, batch_size=batch_size)
    assert Saved.now == 0
    return Saved.peak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_peak_memory_of_the_passes_is_that_of_one_part(norm, dtype):
    part = peak_of(250, None, dtype, norm=norm)
    assert peak_of(4000, 250, dtype, norm=norm) == part
    assert part > 250 * 10 * dtype.itemsize


def test_the_peak_grows_with_the_part():
    one, four, whole = peak_of(4000, 250), peak_of(4000, 1000), peak_of(4000, None)
    assert 3 * one < four < 5 * one
    assert 12 * one < whole < 20 * one
