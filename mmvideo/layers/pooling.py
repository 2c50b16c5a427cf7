"""A masked sequence to one vector. A sequence with nothing real pools to zeros."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmvideo.types import Tokens


class MeanPool(nn.Module):
    """The mean of the real tokens."""

    def forward(self, tokens: Tokens) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N"]]:
        """The pooled vectors, and the weight every token had."""
        mask = tokens.mask.float()
        weights = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.einsum("bn,bnd->bd", weights, tokens.values), weights


class AdditivePool(nn.Module):
    """Additive attention over the real tokens: softmax of vᵀ tanh(W x).

    After Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473. Its weights tell which frames, sounds or
    words mattered.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, tokens: Tokens) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N"]]:
        """The pooled vectors, and the weight every token had."""
        scores = self.score(torch.tanh(self.hidden(tokens.values))).squeeze(2)
        lowest = torch.finfo(scores.dtype).min  # not -inf: an all-masked row must stay finite
        weights = torch.softmax(scores.masked_fill(~tokens.mask, lowest), dim=1)
        weights = torch.where(tokens.mask, weights, 0.0)
        return torch.einsum("bn,bnd->bd", weights, tokens.values), weights


def make_pool(name: Literal["mean", "attention"], width: int) -> MeanPool | AdditivePool:
    """The pooling a configuration names: `mean` or `attention`."""
    return AdditivePool(width) if name == "attention" else MeanPool()
