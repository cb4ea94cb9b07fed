"""What may lie around a model, and must not come between its blocks and their hooks."""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

# The name under which torch.compile's OptimizedModule holds the module that it compiles. Its
# class stands in torch._dynamo, which takes seconds to import.
COMPILED = "_orig_mod"


def unwrapped(model: nn.Module) -> nn.Module:
    """Give the module inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, DataParallel | DistributedDataParallel):
            model = model.module
        elif isinstance(inner := model._modules.get(COMPILED), nn.Module):
            model = inner
        else:
            return model


def run_alone(modules: Iterable[nn.Module]) -> None:
    """Keep wrappers deeper in a model from spreading a pass over devices and processes.

    The flags that this sets are attributes: the guard puts them back.
    """
    for module in modules:
        if isinstance(module, DistributedDataParallel):
            # As in no_sync: a reducer waits for gradients of parameters, and none are computed.
            module.require_backward_grad_sync = False
            module.require_forward_param_sync = False
        elif isinstance(module, DataParallel) and len(module.device_ids) > 1:
            raise ValueError(
                "model must run its blocks in one place; got a DataParallel over "
                f"{len(module.device_ids)} devices inside the model, which runs copies of them: "
                "put its .module in its place"
            )


def without_compiler() -> AbstractContextManager[object]:
    """Run compiled modules and functions as they were written, so that hooks are called."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance
