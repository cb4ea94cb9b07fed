"""Inputs and targets: tensors, arrays, tuples and dicts of them, or the batches of a loader."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, SequentialSampler

from gsnn_edges import _validation
from gsnn_edges.activations.preserve_state import generators_unchanged

# A tensor with a row for each sample, or several of them.
Batch: TypeAlias = Tensor | tuple[Tensor, ...] | dict[str, Tensor]

_USUAL_BATCH = 256


def read_loader(x: Any, y: Any, batch_size: int | None) -> tuple[Any, Any, int | None]:
    """Concatenate x and y from the batches of a DataLoader; other inputs stay as they are.

    The rows at a time are then those of its largest batch, unless they are given.
    """
    if not isinstance(x, DataLoader):
        return x, y, batch_size
    if y is not None:
        raise TypeError(
            f"y must be left out where x is a DataLoader, whose batches hold it; got "
            f"{type(y).__name__}"
        )
    with generators_unchanged():  # a loader draws a seed for its workers, and its order
        pairs = [_pair_of(batch) for batch in x]
    if not pairs:
        raise ValueError("x must be a DataLoader with at least one batch; got an empty one")
    inputs, targets = zip(*pairs, strict=True)
    largest = max(rows_in(batch) for batch in inputs)
    x, y = _joined("x", inputs), _joined("y", targets)
    return x, y, largest if batch_size is None else batch_size


def _pair_of(batch: Any) -> tuple[Batch, Batch]:
    """X and y of one batch of a loader."""
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        size = f" of {len(batch)}" if isinstance(batch, list | tuple | dict) else ""
        raise TypeError(
            f"x must be a DataLoader whose batches are pairs (x, y); got a batch that is a "
            f"{type(batch).__name__}{size}: have its collate_fn give such pairs"
        )
    # torch's own collate_fn makes lists of tuples.
    parts = [tuple(part) if isinstance(part, list) else part for part in batch]
    x, y = (_mapped(name, part, _as_tensor) for name, part in zip("xy", parts, strict=True))
    return x, y


def _joined(name: str, batches: Sequence[Batch]) -> Batch:
    """Concatenate batches of one form."""
    tables = [dict(_named_tensors(name, batch)) for batch in batches]
    forms = {", ".join(table) for table in tables}
    if len(forms) > 1:
        raise ValueError(
            f"{name} must have the same form in all batches of the DataLoader; got "
            f"{' and '.join(sorted(forms))}"
        )
    return _mapped(name, batches[0], lambda part, _: torch.cat([table[part] for table in tables]))


def as_pair(x: Any, y: Any) -> tuple[Batch, Batch]:
    """X and y as finite tensors with as many rows."""
    x, y = _as_batch("x", x), _as_batch("y", y)
    if rows_in(x) != rows_in(y):
        raise ValueError(
            f"x and y must have as many rows; got {rows_in(x)} and {rows_in(y)}: both have a row "
            "for each sample"
        )
    return x, y


def _as_batch(name: str, value: Any) -> Batch:
    """X or y as a finite tensor, or a tuple or dict of them, with as many rows."""
    batch = _mapped(name, value, _as_tensor)
    if len({len(rows) for rows in tensors_in(batch)}) != 1:
        counts = [f"{part} with {len(rows)}" for part, rows in _named_tensors(name, batch)]
        raise ValueError(
            f"{name} must hold tensors with as many rows, at least one; got "
            f"{', '.join(counts) or 'none'}"
        )
    return batch


def _as_tensor(name: str, value: Any) -> Tensor:
    """A finite tensor with a row for each sample."""
    kind = type(value).__name__
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
        if not isinstance(value, Tensor):  # on the host, whatever torch's default device is
            value = torch.as_tensor(value, device="cpu")
        rows: Tensor = value.detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{name} must be a tensor or an array; got {kind}{_way_to_tensor(value)}"
        ) from error
    if _validation.is_sparse(rows):
        raise TypeError(f"{name} must be dense; got {rows.layout}: call its to_dense() first")
    if rows.is_complex():
        raise TypeError(
            f"{name} must hold real numbers; got {rows.dtype}: split them, or take their size"
        )
    if rows.ndim == 0 or len(rows) == 0:
        raise ValueError(f"{name} must have a row for each sample; got shape {tuple(rows.shape)}")
    _validation.finite(name, rows.flatten(1) if rows.ndim > 1 else rows[:, None])
    return rows


def _way_to_tensor(value: Any) -> str:
    """What was wrong with a value that no tensor can be made of, and what would do."""
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


def _mapped(name: str, value: Any, change: Callable[[str, Any], Tensor]) -> Batch:
    """Change each part of a tuple or dict, or the one tensor; ``change`` gets its name too."""
    if isinstance(value, Mapping):
        return {key: change(f"{name}[{key!r}]", part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [change(f"{name}[{place}]", part) for place, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return change(name, value)


def _named_tensors(name: str, batch: Batch) -> Iterator[tuple[str, Tensor]]:
    if isinstance(batch, Tensor):
        yield name, batch
    else:
        items = batch.items() if isinstance(batch, dict) else enumerate(batch)
        yield from ((f"{name}[{key!r}]", part) for key, part in items)


def tensors_in(batch: Batch) -> list[Tensor]:
    """Tensors of a batch."""
    if isinstance(batch, Tensor):
        return [batch]
    return list(batch.values() if isinstance(batch, dict) else batch)


def rows_in(batch: Batch) -> int:
    """Number of samples of a batch."""
    return len(tensors_in(batch)[0])


def select_rows(batch: Batch, rows: slice | Tensor) -> Batch:
    """Some rows of a batch."""
    return _mapped("", batch, lambda _, tensor: tensor[rows])


def select_arguments(kwargs: Mapping[str, Any], rows: slice | Tensor, batch: int) -> dict[str, Any]:
    """Arguments of the forward pass for some rows: tensors with a row for each are cut.

    Those that stand in a list, tuple or dict too.
    """

    def cut(value: Any) -> Any:
        by_row = isinstance(value, Tensor) and value.ndim and len(value) == batch
        return value[rows] if by_row else value

    def select(value: Any) -> Any:
        if type(value) in (list, tuple):
            return type(value)(map(cut, value))
        return {k: cut(v) for k, v in value.items()} if type(value) is dict else cut(value)

    return {name: select(value) for name, value in kwargs.items()}


def for_model(batch: Batch, device: torch.device, model: nn.Module) -> Batch:
    """X or y on the device, in the model's precision."""
    dtype = dtype_of(model)

    def move(_: str, tensor: Tensor) -> Tensor:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return _out_of_inference(tensor).to(device, wanted)  # type: ignore[no-any-return]

    return _mapped("", batch, move)


def dtype_of(model: nn.Module) -> torch.dtype | None:
    """The precision of a model: that of its first parameter of real numbers."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), None)


def _out_of_inference(value: Any) -> Any:
    """Clone a tensor made under inference_mode, which no backward pass would take."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def as_arguments(x: Batch) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Positional and named arguments of a forward pass, each of its own memory.

    Activations get a gradient by way of x where all parameters are frozen; clones, since a model
    may write to its input.
    """
    copies = _mapped("", x, lambda _, t: t.detach().requires_grad_(t.is_floating_point()).clone())
    if isinstance(copies, dict):
        return (), copies
    return copies if isinstance(copies, tuple) else (copies,), {}


def checked_kwargs(forward_kwargs: Any, x: Any = None) -> dict[str, Any]:
    """Further arguments of the forward pass as a dict, of tensors that autograd takes.

    Rejects names in x that the forward pass could not take, or would get twice.
    """
    if forward_kwargs is not None and not isinstance(forward_kwargs, Mapping):
        raise TypeError(
            "forward_kwargs must be a mapping of names to arguments of the forward pass; got "
            f"{_validation.shown(forward_kwargs)}: pass a dict such as {{'edge_mask': mask}}"
        )
    kwargs = {name: _out_of_inference(value) for name, value in (forward_kwargs or {}).items()}
    names = list(x) if isinstance(x, Mapping) else []
    other = [name for name in names if not isinstance(name, str)]
    if other:
        raise TypeError(
            "x must have names of arguments as its keys, as a dict; got "
            f"{_validation.listing(other)}"
        )
    twice = [name for name in names if name in kwargs]
    if twice:
        raise ValueError(
            "forward_kwargs must not repeat arguments that x holds; got "
            f"{_validation.listing(twice)} in both"
        )
    return kwargs


def iter_batches(x: Any, y: Any, batch_size: int, samples: int) -> Iterator[tuple[Batch, Batch]]:
    """Batches of a pair or of a loader, finite, which hold as many samples as was said."""
    seen = 0
    for x_part, y_part in _iter_loader(x) if y is None else _iter_rows(x, y, batch_size):
        left = samples - seen
        seen += rows_in(x_part)
        if rows_in(x_part) != min(left, batch_size):
            raise ValueError(
                f"x must be a DataLoader of {samples} samples in batches of {batch_size}, the "
                f"last one of the rest; got others up to sample {seen}"
            )
        yield as_pair(x_part, y_part)
    if seen != samples:
        raise ValueError(f"x must give {samples} samples; got {seen}: say samples={seen}")


def _iter_rows(x: Batch, y: Batch, batch_size: int) -> Iterator[tuple[Batch, Batch]]:
    for start in range(0, rows_in(x), batch_size):
        rows = slice(start, start + batch_size)
        yield select_rows(x, rows), select_rows(y, rows)


def _iter_loader(loader: DataLoader[Any]) -> Iterator[tuple[Batch, Batch]]:
    """Batches of a loader; nothing is drawn from the user's generators."""
    with generators_unchanged():  # a loader draws a seed for its workers
        read = iter(loader)
    while True:
        with generators_unchanged():
            batch = next(read, None)
        if batch is None:
            return
        yield _pair_of(batch)


def in_batches(
    x: Any, y: Any, batch_size: int | None, samples: int | None, repeatable: bool
) -> tuple[Any, Any, int, int]:
    """Arguments of `iter_batches`: arrays, or a loader whose order is the same each time.

    Parameters
    ----------
    x, y, batch_size, samples, repeatable
        As of `capture_to_store`.
    """
    batch_size = _validation.whole_number_or_none("batch_size", batch_size, least=1)
    samples = _validation.whole_number_or_none("samples", samples, least=1)
    repeatable = _validation.flag("repeatable", repeatable)
    if not isinstance(x, DataLoader):
        x, y = as_pair(x, y)
        rows = rows_in(x)
        if samples not in (None, rows):
            raise ValueError(f"samples must be the rows of x, {rows}, or left out; got {samples}")
        return x, y, min(rows, batch_size or _USUAL_BATCH), rows
    if y is not None or batch_size is not None:
        raise TypeError(
            "y and batch_size must be left out where x is a DataLoader, which has its own"
        )
    if not repeatable and not isinstance(x.sampler, SequentialSampler):
        raise ValueError(
            "x must be a DataLoader of repeatable order, so that a capture that was cut off can go "
            f"on; got one with a {type(x.sampler).__name__}: make it with shuffle=False, or say "
            "repeatable=True where its order is the same each time"
        )
    if x.batch_size is None:
        raise ValueError(
            "x must be a DataLoader with a batch_size; got one with a batch_sampler of its own: "
            "pass batch_size and sampler instead"
        )
    if samples is None:
        try:
            samples = len(x.sampler)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError(
                "samples must say how many there are, where the DataLoader has no length"
            ) from error
        samples -= samples % x.batch_size if x.drop_last else 0
    return x, None, x.batch_size, samples
