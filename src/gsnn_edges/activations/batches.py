"""Inputs and targets: tensors, arrays, tuples and dicts of them, or the batches of a loader."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from gsnn_edges import _validation
from gsnn_edges.activations.preserve_state import generators_unchanged

# A tensor with a row for each sample, or several of them.
Batch: TypeAlias = Tensor | tuple[Tensor, ...] | dict[str, Tensor]


def gathered(x: Any, y: Any, batch_size: int | None) -> tuple[Any, Any, int | None]:
    """Give x, y and the rows at a time; a loader is read, and its batches say how many."""
    if not isinstance(x, DataLoader):
        return x, y, batch_size
    if y is not None:
        raise TypeError(
            f"y must be left out where x is a DataLoader, whose batches hold it; got "
            f"{type(y).__name__}"
        )
    x, y, largest = from_loader(x)
    return x, y, largest if batch_size is None else batch_size


def from_loader(loader: DataLoader[Any]) -> tuple[Batch, Batch, int]:
    """Concatenate the batches of a loader, in its order; and the rows of the largest."""
    with generators_unchanged():  # a loader draws a seed for its workers, and its order
        pairs = [as_batches(batch) for batch in loader]
    if not pairs:
        raise ValueError("x must be a DataLoader with at least one batch; got an empty one")
    inputs, targets = zip(*pairs, strict=True)
    largest = max(rows_in(batch) for batch in inputs)
    return joined("x", inputs), joined("y", targets), largest


def as_batches(batch: Any) -> tuple[Batch, Batch]:
    """Give x and y of one batch of a loader."""
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        size = f" of {len(batch)}" if isinstance(batch, list | tuple | dict) else ""
        raise TypeError(
            f"x must be a DataLoader whose batches are pairs (x, y); got a batch that is a "
            f"{type(batch).__name__}{size}: have its collate_fn give such pairs"
        )
    # torch's own collate_fn makes lists of tuples.
    parts = [tuple(part) if isinstance(part, list) else part for part in batch]
    x, y = (mapped(name, part, as_tensor) for name, part in zip("xy", parts, strict=True))
    return x, y


def joined(name: str, batches: Sequence[Batch]) -> Batch:
    """Concatenate batches of one form."""
    first = batches[0]
    forms = {tuple(dict(named_tensors(name, batch))) for batch in batches}
    if len(forms) > 1:
        raise ValueError(
            f"{name} must have the same form in all batches of the DataLoader; got "
            f"{' and '.join(sorted(', '.join(form) for form in forms))}"
        )
    tables = [dict(named_tensors(name, batch)) for batch in batches]
    return mapped(name, first, lambda part, _: torch.cat([table[part] for table in tables]))


def as_pair(x: Any, y: Any) -> tuple[Batch, Batch]:
    """Give x and y as finite tensors with as many rows."""
    x, y = as_batch("x", x), as_batch("y", y)
    if rows_in(x) != rows_in(y):
        raise ValueError(
            f"x and y must have as many rows; got {rows_in(x)} and {rows_in(y)}: both have a row "
            "for each sample"
        )
    return x, y


def as_batch(name: str, value: Any) -> Batch:
    """Give x or y as a finite tensor, or a tuple or dict of them, with as many rows."""
    batch = mapped(name, value, as_rows)
    counts = {part: len(tensor) for part, tensor in named_tensors(name, batch)}
    if len(set(counts.values())) != 1:
        found = ", ".join(f"{part} with {count}" for part, count in counts.items()) or "none"
        raise ValueError(f"{name} must hold tensors with as many rows, at least one; got {found}")
    return batch


def as_rows(name: str, value: Any) -> Tensor:
    """Give one of the tensors of x or y, with a row for each sample, finite."""
    rows = as_tensor(name, value)
    _validation.finite(name, rows.flatten(1) if rows.ndim > 1 else rows[:, None])
    return rows


def as_tensor(name: str, value: Any) -> Tensor:
    """Give a tensor with a row for each sample."""
    given = value
    if np.ma.is_masked(value):
        raise TypeError(
            f"{name} must have a value everywhere; got a masked array: drop or impute what is "
            "behind its mask first"
        )
    try:
        if hasattr(value, "__array__") and not isinstance(value, Tensor):
            # A data frame is rows here; torch would take its columns one by one. torch takes
            # neither read-only nor backwards arrays.
            value = np.require(np.asarray(value), requirements=["C", "W"])
        rows = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{name} must be a tensor or an array; got {type(given).__name__}{way_to_tensor(value)}"
        ) from error
    if _validation.is_sparse(rows):
        raise TypeError(f"{name} must be dense; got {rows.layout}: call its to_dense() first")
    if rows.is_complex():
        raise TypeError(
            f"{name} must hold real numbers; got {rows.dtype}: split them, or take their size"
        )
    if rows.ndim == 0 or len(rows) == 0:
        raise ValueError(f"{name} must have a row for each sample; got shape {tuple(rows.shape)}")
    return rows


def way_to_tensor(value: Any) -> str:
    """Say what was amiss with that of which no tensor could be made, and what would do."""
    if isinstance(value, np.ndarray):
        return f" of dtype {value.dtype}: cast it to float32 first"
    if value is None:
        return ": pass x and y, or a DataLoader of such pairs as x alone"
    if isinstance(value, str | PathLike):
        return ": read the file first"
    if isinstance(value, Dataset):
        return ": wrap it in a torch DataLoader, and leave y out"
    if isinstance(value, Iterator):
        return ": it can be read once only; pass a list of rows, or a DataLoader itself"
    if hasattr(value, "toarray"):
        return ": call its toarray() first"
    return ": pass several as a tuple, or as a dict by the names of arguments"


def mapped(name: str, value: Any, change: Callable[[str, Any], Tensor]) -> Batch:
    """Change each part of a tuple or dict, or the one tensor; ``change`` is told its name."""
    if isinstance(value, Mapping):
        return {key: change(f"{name}[{key!r}]", part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [change(f"{name}[{place}]", part) for place, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return change(name, value)


def named_tensors(name: str, batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """Give each tensor of a batch, with its name."""
    if isinstance(batch, Tensor):
        yield name, batch
    else:
        items = batch.items() if isinstance(batch, dict) else enumerate(batch)
        yield from ((f"{name}[{key!r}]", part) for key, part in items)


def tensors(batch: Batch) -> list[Tensor]:
    """Give the tensors of a batch."""
    return [tensor for _, tensor in named_tensors("", batch)]


def rows_in(batch: Batch) -> int:
    """Count the samples of a batch."""
    return len(tensors(batch)[0])


def take(batch: Batch, rows: slice | Tensor) -> Batch:
    """Give some rows of a batch."""
    return mapped("", batch, lambda _, tensor: tensor[rows])


def cut(value: Any, rows: slice | Tensor, batch: int) -> Any:
    """Rows of a tensor that has one for each sample; anything else whole."""
    if isinstance(value, Tensor) and value.ndim and len(value) == batch:
        return value[rows]
    return value


def for_model(batch: Batch, device: torch.device, model: nn.Module) -> Batch:
    """Give x or y on the device, in the model's precision."""
    dtype = dtype_of(model)

    def move(_: str, tensor: Tensor) -> Tensor:
        own = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return out_of_inference(tensor).to(device, own)  # type: ignore[no-any-return]

    return mapped("", batch, move)


def dtype_of(model: nn.Module) -> torch.dtype | None:
    """Give the precision of a model: that of its first parameter of real numbers."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), None)


def out_of_inference(value: Any) -> Any:
    """Clone a tensor made under inference_mode, which no backward pass would take."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def as_arguments(x: Batch) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Give the arguments of a forward pass, each of its own memory.

    Activations get a gradient by way of x where all parameters are frozen; clones, since a model
    may write to its input.
    """
    own = mapped("", x, lambda _, t: t.detach().requires_grad_(t.is_floating_point()).clone())
    if isinstance(own, dict):
        return (), own
    return own if isinstance(own, tuple) else (own,), {}


def checked_kwargs(forward_kwargs: Any) -> dict[str, Any]:
    """Give further arguments of the forward pass as a dict, of tensors that autograd takes."""
    if forward_kwargs is not None and not isinstance(forward_kwargs, Mapping):
        raise TypeError(
            "forward_kwargs must be a mapping of names to arguments of the forward pass; got "
            f"{_validation.shown(forward_kwargs)}: pass a dict such as {{'edge_mask': mask}}"
        )
    return {name: out_of_inference(value) for name, value in (forward_kwargs or {}).items()}


def check_arguments(x: Any, forward_kwargs: Mapping[str, Any]) -> None:
    """Reject names in x that the forward pass could not take, or would get twice."""
    names = list(x) if isinstance(x, Mapping) else []
    other = [name for name in names if not isinstance(name, str)]
    if other:
        raise TypeError(
            "x must have names of arguments as its keys, as a dict; got "
            f"{_validation.listing(other)}"
        )
    twice = [name for name in names if name in forward_kwargs]
    if twice:
        raise ValueError(
            "forward_kwargs must not repeat arguments that x holds; got "
            f"{_validation.listing(twice)} "
            "in both"
        )
