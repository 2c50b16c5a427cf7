"""Bilinear fusion: every pair of modalities, multiplied through a core tensor of low rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.fusion.options import check_choice, check_count
from mmvideo.layers.grouped_attention import StreamLinear
from mmvideo.types import Features, FusionOutput

COMBINE = ("sum", "concat")


class BilinearFusion(Fusion):
    """h_ab = Σ_r (P_ab^(r) u_a) ⊙ (Q_ab^(r) u_b) with u_m = tanh(W_m x_m), for each pair; then two layers.

    MUTAN (Ben-Younes et al., 2017, https://arxiv.org/abs/1705.06676, equations 7 to 10): a Tucker
    decomposition of the bilinear map whose core has slices of rank R. One modality alone is paired with
    itself. All pairs are one batched product a side.

    Args:
        rank: R, how many products are summed.
        factor_width: entries of u_m.
        combine: whether the pairs' vectors are summed (`sum`) or put side by side (`concat`).

    Diagnostics: `pair_share` (B, pairs), each pair's part of the summed norms, in the order of
    `itertools.combinations` of the modalities.
    """

    cost: ClassVar[str] = "two maps for each pair of clip vectors"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        rank: int = 4,
        factor_width: int = 32,
        combine: str = "sum",
        dropout: float = 0.1,
    ) -> None:
        super().__init__(modalities, width)
        check_count("bilinear", "rank", rank)
        check_count("bilinear", "factor_width", factor_width)
        check_choice("bilinear", "combine", combine, COMBINE)
        self.combine = combine
        self.pairs = tuple(combinations(range(len(self.modalities)), 2)) or ((0, 0),)
        self.project = StreamLinear(len(self.modalities), width, factor_width)
        shape = (2, len(self.pairs), factor_width, rank, width)
        # both sides start with entries near 1, their product too; the sum over r is divided by its spread
        self.factors = nn.Parameter(torch.randn(shape) * (factor_width * rank**0.5) ** -0.5)
        self.mix = mlp(width * (len(self.pairs) if combine == "concat" else 1), width, dropout)

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
