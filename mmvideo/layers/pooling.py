"""A masked sequence to one vector. A sequence with nothing real pools to zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

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


class SegmentPool(nn.Module):
    """The means of twelve overlapping parts of the sequence, concatenated, through a linear map.

    A pyramid of one level in time (spatial pyramid pooling, He et al., 2014, https://arxiv.org/abs/1406.4729):
    *when* survives, which a mean over all tokens loses, and attention has to learn. A token counts most in
    the part whose centre it is nearest to, less in its neighbours, by linear interpolation over the share of
    the clip that has gone by.
    """

    SEGMENTS = 12
    centres: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(self.SEGMENTS * width, width)
        self.register_buffer("centres", (torch.arange(self.SEGMENTS) + 0.5) / self.SEGMENTS, persistent=False)

    def forward(self, tokens: Tokens) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N"]]:
        """The pooled vectors, and the weight every token had: all real ones alike."""
        mask = tokens.mask.float()  # in bfloat16, counts end at 256
        count = mask.sum(dim=1, keepdim=True).clamp(min=1)
        gone_by = (mask.cumsum(dim=1) - 0.5) / count
        # a part reaches to its neighbours' centres, or to the neighbouring tokens where these are sparser
        reach = torch.maximum(1 / count, count.new_tensor(1 / self.SEGMENTS))
        near = F.relu(1 - (gone_by[..., None] - self.centres).abs() / reach[..., None]) * mask[..., None]
        shares = near / near.sum(dim=1, keepdim=True).clamp(min=1e-6)
        parts = torch.einsum("bns,bnd->bsd", shares, tokens.values)
        pooled = self.project(parts.flatten(1))
        return torch.where(tokens.mask.any(dim=1, keepdim=True), pooled, 0.0), mask / count


ClipPool = Literal["mean", "attention", "segments"]
POOLS: dict[ClipPool, Callable[[int], nn.Module]] = {
    "mean": lambda width: MeanPool(),
    "attention": AdditivePool,
    "segments": SegmentPool,
}


def make_pool(name: ClipPool, width: int) -> nn.Module:
    """The pooling a configuration names."""
    return POOLS[name](width)
