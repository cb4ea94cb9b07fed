"""What makes a capture random or mixes its samples: dropout, and statistics of the batch."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gsnn_edges import _validation
from gsnn_edges.activations.preserve_state import gpus_of, modules_of

Mode: TypeAlias = Literal["eval"] | None


def rows_are_independent(model: nn.Module, mode: Mode = None) -> bool:
    """Whether a sample's activations are the same in any batch: evaluation mode, as a rule."""
    return not any(
        (module.training and mode != "eval")
        or (isinstance(module, _BatchNorm) and module.running_mean is None)
        for module in modules_of(model)
    )


class ModeWatch:
    """Warns of what the first forward pass does to samples: draws numbers, uses statistics.

    Dropout may be a function, and a norm a class of the user's. So a module is known by what it
    does: a generator of torch moves in its forward pass, or a buffer of real numbers has other
    values after it.

    Parameters
    ----------
    model
        The model, for the names of its modules.
    modules
        All modules of it.
    mode
        As of `capture`.
    """

    def __init__(self, model: nn.Module, modules: Sequence[nn.Module], mode: Mode) -> None:
        self._model, self._mode = model, mode
        # torch.jit calls the modules inside its own without their hooks.
        self._modules = [m for m in modules if not isinstance(m, torch.jit.ScriptModule)]
        self._gpus = gpus_of(model)
        self._drawing: list[nn.Module] = []
        self._watched = False

    @contextmanager
    def forward(self, rows: int, whole: int) -> Iterator[None]:
        """Watch the pass inside, over some rows of the whole, where it is the first one."""
        if self._watched:
            yield
            return
        mixing = {module for module in self._modules if _mixes_samples(module)}
        others = [module for module in self._modules if module.training and module not in mixing]
        before = {module: _statistics(module) for module in others}
        entered: list[tuple[list[bytes], int]] = []
        hooks = []
        for module in self._modules:
            hooks += [
                module.register_forward_pre_hook(lambda *_: entered.append(self._now())),
                module.register_forward_hook(lambda m, *_: self._leave(m, *entered.pop())),
            ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        mixing |= {m for m, values in before.items() if not _alike(values, _statistics(m))}
        self._warn_of_mode(mixing)
        if mixing and rows < whole:
            _validation.warn(
                f"batch_size={rows} changes what is captured from {whole} rows: batch statistics "
                f"of each part, and not of the whole, are used in {self._names(mixing)}; with "
                'mode="eval" running statistics take their place, where there are any'
            )
        self._watched = True

    def _now(self) -> tuple[list[bytes], int]:
        """States of torch's generators, and how many modules have moved them."""
        states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._gpus)]
        return [state.numpy().tobytes() for state in states], len(self._drawing)

    def _leave(self, module: nn.Module, states: list[bytes], drawing: int) -> None:
        """Note a module that draws by itself; one inside it has been noted."""
        if len(self._drawing) == drawing and states != self._now()[0]:
            self._drawing.append(module)

    def _warn_of_mode(self, mixing: set[nn.Module]) -> None:
        always = {module for module in self._drawing if not module.training}
        active = mixing.union(self._drawing) - always
        if active and self._mode is None and any(module.training for module in active):
            _validation.warn(
                f"dropout or batch statistics are at work in {self._names(active)}: what is "
                "captured is not what the model does in evaluation mode; "
                'mode="eval" switches to it for this call'
            )
        elif active and self._mode is None:
            _validation.warn(
                f"batch statistics are at work in {self._names(active)}, in evaluation mode too, "
                'as there are no running ones, and mode="eval" cannot change that: a sample '
                "depends on its batch"
            )
        if always:
            _validation.warn(
                f"random numbers are drawn in {self._names(always)}, in evaluation mode too, as by "
                "dropout that does not ask for the mode: what is captured depends on seed="
            )

    def _names(self, modules: Collection[nn.Module]) -> str:
        names = {id(module): name for name, module in self._model.named_modules()}
        ordered = [module for module in self._modules if module in modules]
        return _validation.listing([names.get(id(m)) or type(m).__name__ for m in ordered], 3)


def _mixes_samples(module: nn.Module) -> bool:
    """Whether a module of torch takes its statistics from the batch."""
    return isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)


def _statistics(module: nn.Module) -> list[Tensor]:
    buffers = (b for b in module._buffers.values() if b is not None)
    return [b.clone() for b in buffers if b.is_floating_point() and b.layout == torch.strided]


def _alike(values: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(values) == len(others) and all(map(torch.equal, values, others))
