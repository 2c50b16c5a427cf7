"""Bilinear fusion: every pair of modalities, multiplied through a core tensor of low rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import ClassVar, Literal

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.grouped_attention import StreamLinear
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class BilinearFusion(Fusion):
    """h_ab = Σ_r (P_ab^(r) u_a) ⊙ (Q_ab^(r) u_b) with u_m = tanh(W_m x_m), for each pair; then two layers.

    MUTAN (Ben-Younes et al., 2017, https://arxiv.org/abs/1705.06676, equations 7 to 10): a Tucker
    decomposition of the bilinear map whose core has slices of rank R. One modality alone is paired with
    itself. All pairs are one batched product a side.

    Diagnostics: `pair_share` (B, pairs), each pair's part of the summed norms, in the order of
    `itertools.combinations` of the modalities.
    """

    cost: ClassVar[str] = "two maps for each pair of clip vectors"

    class Config(Fusion.Config):
        rank: Positive = 4
        """R, how many products are summed."""
        factor_width: Positive = 32
        """Entries of u_m."""
        combine: Literal["sum", "concat"] = "sum"
        """Whether the pairs' vectors are summed or concatenated."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        rank, factor_width = config.rank, config.factor_width
        self.combine = config.combine
        self.pairs = tuple(combinations(range(len(self.modalities)), 2)) or ((0, 0),)
        self.project = StreamLinear(len(self.modalities), width, factor_width)
        shape = (2, len(self.pairs), factor_width, rank, width)
        # both sides start with entries near 1, their product too; the sum over r is divided by its spread
        self.factors = nn.Parameter(torch.randn(shape) * (factor_width * rank**0.5) ** -0.5)
        self.mix = mlp(width * (len(self.pairs) if self.combine == "concat" else 1), width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        hidden = torch.tanh(self.project(vectors.transpose(0, 1)[:, None]).squeeze(1))  # (M, B, F)
        left, right = (
            torch.bmm(torch.stack([hidden[pair[side]] for pair in self.pairs]), self.factors[side].flatten(2))
            for side in (0, 1)
        )
        pairs = (left * right).unflatten(2, self.factors.shape[3:]).sum(dim=2)  # (pairs, B, D)
        norms = pairs.detach().norm(dim=2)
        share = (norms / norms.sum(dim=0).clamp(min=1e-6)).transpose(0, 1)
        joined = pairs.sum(dim=0) if self.combine == "sum" else pairs.transpose(0, 1).flatten(1)
        return FusionOutput(self.mix(joined), {"pair_share": share})
