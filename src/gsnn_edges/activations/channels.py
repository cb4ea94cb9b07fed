"""Activations and gradients of all channels, as the channel score takes them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gsnn_edges import _validation
from gsnn_edges.activations.model_layout import Layers, find_layers
from gsnn_edges.activations.nodes import ChannelKeeper
from gsnn_edges.activations.passes import Criterion, run_passes


class ChannelObservations(NamedTuple):
    """What `capture_channels` gives.

    Attributes
    ----------
    a, g : tensors of shape (M, C)
        Signed activations and gradients of C channels. Row ``l * samples + b`` holds the
        activations at layer l, and the gradients at layer l + 1, of sample b.
    nodes : LongTensor of shape (C,)
        The node of each channel.
    samples, pairs : int
        Samples B, and layer pairs L - 1; M = pairs * samples.
    """

    a: Tensor
    g: Tensor
    nodes: Tensor
    samples: int
    pairs: int


def capture_channels(
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any = None,
    *,
    blocks: Sequence[nn.Module | str] | None = None,
    groups: Any = None,
    node_names: Sequence[str] | None = None,
    **options: Any,
) -> ChannelObservations:
    """Record all channels of the function nodes, with their signs, and the credit they get.

    Parameters
    ----------
    model, crit, x, y, blocks, groups, node_names
        As of `capture`. All blocks have the same channels of the same nodes.
    **options
        ``use_prenorm``, ``device``, ``batch_size``, ``seed``, ``forward_kwargs``,
        ``loss_reduction`` and ``mode`` of `capture`.

    Returns
    -------
    ChannelObservations
        ``a`` and ``g`` of shape (M, C), ``nodes``, ``samples`` and ``pairs``. float64 for a
        float64 model, else float32.

    Raises
    ------
    TypeError, ValueError
        As `capture`; and where the channels differ between blocks.

    Notes
    -----
    Peak memory is that of `capture`, with C columns in place of N.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import capture_channels
    >>> from gsnn_edges.channels import channel_correlation
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=3).eval()
    >>> seen = capture_channels(model, torch.nn.MSELoss(), problem.x_test, problem.y_test)
    >>> seen.a.shape, seen.samples, seen.pairs
    (torch.Size([2500, 150]), 500, 5)
    >>> channel_correlation(seen.a, seen.g, seen.nodes, seen.nodes).shape
    torch.Size([50, 50])
    """
    layers = find_layers(model, blocks, groups, node_names)
    check_alike(layers)
    a, g = run_passes(model, crit, x, y, layers, ChannelKeeper, **options)
    pairs = len(layers.blocks) - 1
    return ChannelObservations(a, g, layers.groups[0], len(a) // pairs, pairs)


def check_alike(layers: Layers) -> None:
    """Reject blocks whose channels are not those of the first one."""
    first = layers.groups[0]
    for name, group in zip(layers.names, layers.groups, strict=True):
        if not torch.equal(group, first):
            raise ValueError(
                "model must have the same channels of the same nodes in all blocks, to keep them "
                f"apart; {difference(name, group, layers.names[0], first)}: capture, or "
                "score='magnitude', takes any"
            )


def difference(name: str, group: Tensor, first_name: str, first: Tensor) -> str:
    """Say in what two blocks differ: in how many channels they have, or in whose they are."""
    if len(group) != len(first):
        return f"{name} has {len(group)} of them, and {first_name} has {len(first)}"
    channels = torch.nonzero(group != first).flatten().tolist()
    own, other = (nodes[channels[0]].item() for nodes in (group, first))
    return (
        f"channels {_validation.listing(channels)} belong to other nodes in {name} than in "
        f"{first_name}, the first of them to node {own} and to node {other}"
    )
