"""Training and evaluation mode: which modules draw at random, or mix the samples of a batch."""

import sys
import warnings
from collections.abc import Sequence
from itertools import count
from typing import Literal, TypeAlias

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from gsnn_edges import _validation
from gsnn_edges.activations.model_layout import modules_of

Mode: TypeAlias = Literal["eval"] | None
MODES = ("eval",)
SHOWN = 3


def check_mode(mode: Mode) -> None:
    """Reject a mode that is neither None nor "eval"."""
    if mode is not None:
        _validation.choice("mode", mode, MODES)


def switch(modules: Sequence[nn.Module], mode: Mode) -> None:
    """Set the training flags that a mode asks for; the guard puts them back."""
    if mode == "eval":
        for module in modules:
            module.eval()


def mixes_samples(module: nn.Module) -> bool:
    """Whether a module takes its statistics from the batch."""
    return isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)


def drops(module: nn.Module) -> bool:
    """Whether a module draws a dropout mask."""
    return isinstance(module, _DropoutNd) and module.training and module.p > 0


def warn_of_mode(model: nn.Module, blocks: Sequence[nn.Module], mode: Mode) -> None:
    """Warn where nobody has chosen a mode, and the one there is makes samples random or mixed."""
    if mode is not None:
        return
    active = [m for m in modules_of(model, *blocks) if drops(m) or mixes_samples(m)]
    if any(module.training for module in active):
        warn(
            f"dropout or batch statistics are at work in {named(active, model)}: what is captured "
            'is not what the model does in evaluation mode; mode="eval" switches to it for this '
            "call"
        )
    elif active:
        warn(
            f"batch statistics are at work in {named(active, model)}, in evaluation mode too, as "
            'there are no running ones, and mode="eval" cannot change that: a sample depends on '
            "its batch"
        )


def warn_of_parts(model: nn.Module, blocks: Sequence[nn.Module], size: int, batch: int) -> None:
    """Warn where parts of a batch give something else than the whole."""
    active = [module for module in modules_of(model, *blocks) if mixes_samples(module)]
    if size < batch and active:
        warn(
            f"batch_size={size} changes what is captured from {batch} rows: batch statistics of "
            f"each part, and not of the whole, are used in {named(active, model)}; with "
            'mode="eval" running statistics take their place, where there are any'
        )


def named(modules: Sequence[nn.Module], model: nn.Module) -> str:
    """Write the names of the first few modules."""
    names = {id(module): name for name, module in model.named_modules()}
    return _validation.listing([names.get(id(m)) or type(m).__name__ for m in modules], SHOWN)


def warn(text: str) -> None:
    """Warn, and point at the line outside this package that the call came from."""
    package = __name__.partition(".")[0]
    for depth in count(1):
        frame = sys._getframe(depth)
        if frame.f_globals.get("__name__", "").partition(".")[0] != package or frame.f_back is None:
            warnings.warn(text, UserWarning, stacklevel=depth + 1)
            return
