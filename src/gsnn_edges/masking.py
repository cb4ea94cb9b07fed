"""Measured values as inputs of their own nodes, part of them hidden."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gsnn_edges import _validation

EdgeType: TypeAlias = tuple[str, str, str]
# The least and the largest share of a row's measurements that it keeps, or the one share of all.
Keep: TypeAlias = float | tuple[float, float]

_INPUT_EDGES: EdgeType = ("input", "to", "function")
_OUTPUT_EDGES: EdgeType = ("function", "to", "output")


def masked_inputs(
    edge_index_dict: Mapping[EdgeType, Any], node_names_dict: Mapping[str, Sequence[str]]
) -> tuple[dict[EdgeType, Any], dict[str, list[str]]]:
    """Graph of a GSNN with two more inputs for each output: its measured value and its mask.

    Both feed the function nodes that feed the output, so a network sees the measurements that
    `mask_rows` keeps at the nodes where they were made, and shall predict the others.

    Parameters
    ----------
    edge_index_dict : mapping of edge type to whole numbers of shape (2, E)
        Keys ("input", "to", "function"), ("function", "to", "function") and
        ("function", "to", "output"); source over target, numbered from 0 within their own kind.
    node_names_dict : mapping of "input", "function" and "output" to names

    Returns
    -------
    edge_index_dict, node_names_dict
        For I inputs and M outputs the new inputs are I .. I + M - 1, the values, and
        I + M .. I + 2 M - 1, the masks, both in the order of the outputs; the rest is as it was.

    Raises
    ------
    ValueError
        Where one of these kinds is missing, or an edge names a node that is not there.

    Examples
    --------
    >>> from gsnn_edges.demo import tutorial
    >>> problem = tutorial(seed=0)
    >>> edges, names = masked_inputs(problem.edge_index_dict, problem.node_names_dict)
    >>> names["input"][25], names["input"][50], edges["input", "to", "function"].shape
    ('value of out0', 'mask of out0', (2, 75))
    """
    missing = {"input", "function", "output"} - set(node_names_dict)
    missing |= {str(kind) for kind in (_INPUT_EDGES, _OUTPUT_EDGES) if kind not in edge_index_dict}
    if missing:
        raise ValueError(
            "edge_index_dict and node_names_dict must be those of a GSNN; missing: "
            f"{', '.join(sorted(missing))}"
        )
    names = {kind: list(some) for kind, some in node_names_dict.items()}
    inputs, functions, outputs = (len(names[kind]) for kind in ("input", "function", "output"))
    into, out = (
        _validation.edge_index(f"edge_index_dict[{kind}]", edge_index_dict[kind], shape)
        for kind, shape in (
            (_INPUT_EDGES, (inputs, functions)),
            (_OUTPUT_EDGES, (functions, outputs)),
        )
    )
    new = [np.stack([out[1] + first, out[0]]) for first in (inputs, inputs + outputs)]
    names["input"] += [
        f"{what} of {name}" for what in ("value", "mask") for name in names["output"]
    ]
    return {**edge_index_dict, _INPUT_EDGES: np.concatenate([into, *new], axis=1)}, names


def mask_rows(
    x: Any, y: Any, keep: Keep = 0.7, *, generator: torch.Generator | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Inputs and targets of a masked network: each row keeps a random part of its measurements.

    Parameters
    ----------
    x : Tensor of shape (B, I)
    y : Tensor of shape (B, M)
        Measured values, those of the outputs.
    keep : float, or pair of floats
        Chance that a measurement is kept, in (0, 1); of a pair, each row draws its own between the
        two.
    generator : torch.Generator, optional
        Of the draws, on the CPU; by default torch's global one.

    Returns
    -------
    x : Tensor of shape (B, I + 2 M)
        x, the kept values (0 for the others) and the masks (1 and 0).
    (y, kept) : Tensors of shape (B, M)
        What `MaskedLoss` takes: y as it was, and whether each value was kept.

    Raises
    ------
    ValueError
        For x and y that are no matrices of as many rows, or a share outside (0, 1).

    Examples
    --------
    >>> x, y = torch.ones(2, 1), torch.full((2, 3), 5.0)
    >>> masked, (_, kept) = mask_rows(x, y, generator=torch.Generator().manual_seed(0))
    >>> masked[1], kept[1]
    (tensor([1., 5., 5., 0., 1., 1., 0.]), tensor([ True,  True, False]))
    """
    shapes = [tuple(getattr(part, "shape", ())) for part in (x, y)]
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][0] != shapes[1][0]:
        raise ValueError(
            "masks need x and y as matrices of as many rows, (B, inputs) and (B, outputs); got "
            f"{type(x).__name__} {shapes[0]} and {type(y).__name__} {shapes[1]}"
        )
    low, high = keep if isinstance(keep, tuple) else (keep, keep)
    if not 0 < low <= high < 1:
        raise ValueError(f"keep must be a share in (0, 1), or a pair of them; got {keep!r}")
    share = low + (high - low) * torch.rand(len(y), 1, generator=generator)
    kept = (torch.rand(y.shape, generator=generator) < share).to(y.device)
    return torch.cat([x, y * kept, kept.to(x.dtype)], dim=1), (y, kept)


class MaskedLoss:
    """A loss over the measurements that a row did not keep.

    The network sees the others, so their predictions count as right and send no gradient.

    Parameters
    ----------
    crit : callable
        ``crit(prediction, y)``, a loss of one number, a sum or mean over the values of y.

    Examples
    --------
    >>> loss = MaskedLoss(torch.nn.MSELoss(reduction="sum"))
    >>> y, kept = torch.zeros(1, 3), torch.tensor([[True, False, True]])
    >>> loss(torch.tensor([[9.0, 2.0, 9.0]]), (y, kept))
    tensor(4.)
    """

    def __init__(self, crit: Callable[[Any, Any], Tensor]) -> None:
        self.crit = crit
        self.reduction = getattr(crit, "reduction", None)

    def __call__(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of predictions of shape (B, M), for what `mask_rows` returns beside x."""
        y, kept = target
        return self.crit(torch.where(kept, y, prediction), y)
