"""Proof that a model and the global random states are, bit for bit, what they were."""

import io
import pickle
import random
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


class Same:
    """Equal for one and the same object only; keeps it alive, so that its id is not used again."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Same) and other.value is self.value

    __hash__ = None


def frozen_copy(model):
    """Everything that there is to know of a model, by the place where it stands."""
    modules = dict(model.named_modules(remove_duplicate=False))
    facts = {f"{name}: module": Same(module) for name, module in modules.items()}
    for name, module in modules.items():
        facts |= dict(describe(f"{name}.__dict__", vars(module)))
    facts["pickled model: size"] = len(pickle.dumps(model))
    facts["saved state: size"] = saved_size(model)
    return facts | global_state()


def describe(place, value):
    """Facts about one value: which object it is and what it holds."""
    if isinstance(value, nn.Module):
        yield from describe_unlisted(place, value)
    elif isinstance(value, torch.Tensor):
        yield from describe_tensor(place, value)
    elif isinstance(value, dict):
        yield f"{place}: keys in order", list(value)
        for key, item in value.items():
            yield from describe(f"{place}[{key!r}]", item)
    elif isinstance(value, list | tuple | set | frozenset):
        yield f"{place}: length", len(value)
        for number, item in enumerate(value):
            yield from describe(f"{place}[{number}]", item)
    else:
        yield f"{place}: value", repr(value)
    yield f"{place}: object", Same(value)


def describe_unlisted(place, module):
    """Modules that torch's own list of modules does not reach stand in plain containers."""
    if "_modules" not in place:
        yield from describe(f"{place}.__dict__", vars(module))


def describe_tensor(place, tensor):
    yield f"{place}: bits", bits(tensor)
    yield f"{place}: kind", (tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device)
    yield f"{place}: requires_grad", tensor.requires_grad
    yield f"{place}: memory", tensor.data_ptr()
    if tensor.is_leaf and tensor.grad is not None:
        yield from describe(f"{place}.grad", tensor.grad)


def bits(tensor):
    if tensor.is_meta:
        return None
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def saved_size(model):
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell()


def global_state():
    """Random states, and the switches of autograd."""
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global one is what must not move
    return {
        "random states of Python": random.getstate(),
        "random states of NumPy": repr(numpy_state[1].tobytes()) + repr(numpy_state[2:]),
        "random states of torch": bits(torch.get_rng_state()),
        "gradients are recorded": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "casts are kept": torch.is_autocast_cache_enabled(),
    }


@contextmanager
def assert_unchanged(model):
    """Fail, naming the places, where the block changes anything, by an exception too."""
    before = frozen_copy(model)
    try:
        yield
    finally:
        after = frozen_copy(model)
        places = sorted(before.keys() | after.keys())
        changed = [p for p in places if before.get(p, "nothing") != after.get(p, "nothing")]
        assert changed == [], f"changed: {', '.join(changed)}"
