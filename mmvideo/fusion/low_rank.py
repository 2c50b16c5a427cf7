"""Low-rank fusion: tensor fusion whose weight is a sum of a few products, one factor a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.grouped_attention import stream_norm
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class LowRankFusion(Fusion):
    """h = Σ_r w_r · ∏_m (F_m^(r) [x_m; 1]) + b, products entry by entry, then two layers.

    LMF (Liu et al., 2018, https://arxiv.org/abs/1806.00064): tensor fusion with W of rank R, M R (D + 1) D
    weights instead of D (D + 1)^M. All factors are one registered parameter and one batched product. Each x_m
    is normalised first (its scale and shift are in the factors), since a product of M of them grows with the
    M-th power of their scale.
    """

    cost: ClassVar[str] = "a map of the clip vectors for each rank"

    class Config(Fusion.Config):
        rank: Positive = 4
        """R, how many products are summed."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count, rank = len(self.modalities), config.rank
        self.factors = nn.Parameter(torch.empty(count, width + 1, rank, width))
        self.rank_weights = nn.Parameter(torch.empty(1, rank))
        self.bias = nn.Parameter(torch.zeros(width))
        self.mix = mlp(width, width, config.dropout)
        with torch.no_grad():  # Glorot for every factor and for the weights, as the authors do
            self.factors.normal_(std=(2 / (2 * width + 1)) ** 0.5)
            nn.init.xavier_normal_(self.rank_weights)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        normed = F.pad(stream_norm(vectors), (0, 1), value=1.0).transpose(0, 1)  # (M, B, D + 1)
        read = torch.bmm(normed, self.factors.flatten(2))
        product = reduce(torch.mul, read.unflatten(2, self.factors.shape[2:]).unbind(0))  # (B, R, D)
        fused = (self.rank_weights @ product).squeeze(1) + self.bias
        return FusionOutput(self.mix(fused))
