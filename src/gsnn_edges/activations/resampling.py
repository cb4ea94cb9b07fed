"""Observations of batches that are drawn from the samples with replacement."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gsnn_edges.activations.batches import as_pair, cut, rows_in, take
from gsnn_edges.activations.model_layout import modules_of
from gsnn_edges.activations.modes import Mode
from gsnn_edges.resampling import drawn_counts

Capture = Callable[..., tuple[Tensor, Tensor]]


def rows_are_independent(model: nn.Module, mode: Mode = None) -> bool:
    """Whether a sample's activations are the same in any batch: evaluation mode, as a rule."""
    return not any(
        (module.training and mode != "eval")
        or (isinstance(module, _BatchNorm) and module.running_mean is None)
        for module in modules_of(model)
    )


def resampled(
    observe: Capture,
    model: nn.Module,
    x: Any,
    y: Any,
    *,
    draws: int,
    rows: int,
    seed: int | None,
    forward_kwargs: dict[str, Any],
    mode: Mode = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give ``(a, g)`` for each draw of ``rows`` samples; one draw serves all layers.

    Where samples do not depend on each other the model runs once, and its rows are drawn;
    gradients then differ from those of a pass over the draw by one factor, which no correlation
    sees. Otherwise each draw is a pass of its own, with a seed of its own.
    """
    generator = np.random.default_rng(seed)
    x, y = as_pair(x, y)
    batch = rows_in(x)
    if rows_are_independent(model, mode):
        a, g = observe(x, y, forward_kwargs=forward_kwargs)
        layers = torch.arange(len(a) // batch, device=a.device)[:, None] * batch
        for _ in range(draws):
            pick = draw_rows(generator, batch, rows).to(a.device)
            pick = (layers + pick).flatten()
            yield a[pick], g[pick]
        return
    for _ in range(draws):
        pick = draw_rows(generator, batch, rows)
        kwargs = {name: cut(value, pick, batch) for name, value in forward_kwargs.items()}
        own_seed = int(generator.integers(1 << 62))
        yield observe(take(x, pick), take(y, pick), forward_kwargs=kwargs, seed=own_seed)


def draw_counts(batch: int, *, draws: int, rows: int, seed: int | None) -> np.ndarray:
    """How often each sample stands in each draw of ``rows`` samples: (draws, batch).

    The same draws as those of `resampled`.
    """
    return drawn_counts(batch, draws, np.random.default_rng(seed), size=rows)


def draw_rows(generator: np.random.Generator, batch: int, rows: int) -> Tensor:
    """Draw row numbers with replacement."""
    return torch.from_numpy(generator.integers(0, batch, rows))
