"""Mixture of experts: one expert a modality and one for all, weighed by how far each can be relied on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class ExpertsFusion(Fusion):
    """Σ_k g_k e_k: experts e_1 … e_M read one modality each, e_0 reads all, a gate weighs them.

    Adaptive mixtures of local experts (Jacobs et al., 1991, https://doi.org/10.1162/neco.1991.3.1.79), all
    of them evaluated. The gate reads the normalised vectors and which of them are present,
    g = softmax(gate([x; present])); an absent modality's expert has weight 0, the joint expert is always
    open, so that every pattern of presence has an answer. The gate starts with nearly equal weights.

    Diagnostics: `expert_weights` (B, 1 + M), the joint expert first; each row sums to 1.
    """

    cost: ClassVar[str] = "two layers for each modality and for all together, all of them evaluated"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count = len(self.modalities)
        self.joint = mlp(count * width, width, config.dropout)
        self.experts = nn.ModuleList(mlp(width, width, config.dropout) for _ in self.modalities)
        self.norm = nn.LayerNorm(width)
        weigh = nn.Linear(width, 1 + count)
        self.gate = nn.Sequential(nn.Linear(count * (width + 1), width), nn.GELU(), weigh)
        nn.init.normal_(weigh.weight, std=0.01)
        nn.init.zeros_(weigh.bias)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, present = self.clips(features)
        normed = self.norm(vectors)
        reliable = torch.cat([normed, present[..., None].to(normed.dtype)], dim=2)
        scores = self.gate(reliable.flatten(1))
        is_open = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
        weights = torch.softmax(scores.masked_fill(~is_open, -torch.inf), dim=1)
        alone = [expert(vectors[:, m]) for m, expert in enumerate(self.experts)]
        answers = torch.stack([self.joint(vectors.flatten(1)), *alone], dim=1)
        pooled = (weights[..., None] * answers).sum(dim=1)
        return FusionOutput(pooled, {"expert_weights": weights.detach()})
