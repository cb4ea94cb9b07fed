"""What one would write first in torch: the yardstick that ours must beat."""

import torch
from torch import Tensor


def naive_spearman(a: Tensor, g: Tensor) -> Tensor:
    """Rank by argsort, centre, divide by the norm, multiply: (M, Na) and (M, Ng) to (Na, Ng).

    Equal values are ranked in the order in which the sort leaves them.
    """
    return _standardized_ranks(a).T @ _standardized_ranks(g)


def _standardized_ranks(x: Tensor) -> Tensor:
    order = x.argsort(dim=0)
    rank = torch.arange(len(x), dtype=x.dtype, device=x.device)[:, None]
    ranks = torch.empty_like(x).scatter_(0, order, rank.expand_as(x))
    centred = ranks - ranks.mean(dim=0)
    norm: Tensor = torch.linalg.vector_norm(centred, dim=0)
    return centred / norm


def gather_mrr(scores: Tensor, queries: Tensor, truths: Tensor, chunk: int = 2048) -> float:
    """Score edges by their filtered mean reciprocal rank, with a row of scores for each query.

    ``scores`` of shape (N, N), ``queries`` and ``truths`` of shape (2, E). Ties are averaged.
    """
    true = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    true[truths[0], truths[1]] = True
    total = 0.0
    for source, target in zip(*(ends.split(chunk) for ends in queries), strict=True):
        rows = scores[source]
        own = rows.gather(1, target[:, None])
        # A query never competes with itself, though it may not be among the true edges.
        rival = (~true[source]).scatter_(1, target[:, None], False)
        above = ((rows > own) & rival).sum(dim=1)
        level = ((rows == own) & rival).sum(dim=1)
        total += (1 / (1 + above + level / 2)).double().sum().item()
    return total / queries.shape[1]
