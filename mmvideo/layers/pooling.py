"""A masked sequence to one vector. A sequence with nothing real pools to zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
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
    *when* survives, which a mean over all tokens loses, and attention has to learn.
    """

    SEGMENTS = 12

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(self.SEGMENTS * width, width)

    def forward(self, tokens: Tokens) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N"]]:
        """The pooled vectors, and the weight every token had: all real ones alike."""
        shares = part_shares(tokens.mask, self.SEGMENTS).to(tokens.values.dtype)
        parts = torch.einsum("bns,bnd->bsd", shares, tokens.values)
        pooled = self.project(parts.flatten(1))
        mask = tokens.mask.float()
        weights = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.where(tokens.mask.any(dim=1, keepdim=True), pooled, 0.0), weights


def part_shares(mask: Bool[Tensor, "B N"], parts: int) -> Float[Tensor, "B N S"]:
    """How much each token counts in each of the sequence's overlapping parts; a part's shares add up to 1.

    A token counts most in the part whose centre it is nearest to, less in its neighbours, by linear
    interpolation over the share of the clip that has gone by.
    """
    real = mask.float()  # in bfloat16, counts end at 256
    count = real.sum(dim=1, keepdim=True).clamp(min=1)
    gone_by = (real.cumsum(dim=1) - 0.5) / count
    centres = (torch.arange(parts, device=mask.device) + 0.5) / parts
    # a part reaches to its neighbours' centres, or to the neighbouring tokens where these are sparser
    reach = (1 / count).clamp(min=1 / parts)
    near = F.relu(1 - (gone_by[..., None] - centres).abs() / reach[..., None]) * real[..., None]
    return near / near.sum(dim=1, keepdim=True).clamp(min=1e-6)


ClipPool = Literal["mean", "attention", "segments"]
POOLS: dict[ClipPool, Callable[[int], nn.Module]] = {
    "mean": lambda width: MeanPool(),
    "attention": AdditivePool,
    "segments": SegmentPool,
}


def make_pool(name: ClipPool, width: int) -> nn.Module:
    """The pooling a configuration names."""
    return POOLS[name](width)
