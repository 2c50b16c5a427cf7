"""Gated multimodal unit: all modalities decide how much of each goes through, dimension by dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class GatedFusion(Fusion):
    """h = Σ_m z_m ⊙ tanh(W_m x_m) with gates z_m = σ(U_m [x_1; …; x_M]), then two layers.

    The form for any number of modalities of the GMU (Arevalo et al., 2017, https://arxiv.org/abs/1702.01992,
    section 3.1): gates are not tied to sum to one. Its gate is multiplicative, so one modality can decide
    how another is read.

    Diagnostics: `gates` (B, M), each modality's gate averaged over the width, 0 closed to 1 open.
    """

    cost: ClassVar[str] = "a gate for each modality's clip vector, computed from all of them"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count = len(self.modalities)
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in self.modalities)
        self.gate = nn.Linear(count * width, count * width)
        self.mix = mlp(width, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        values = torch.stack([value(vectors[:, m]) for m, value in enumerate(self.values)], dim=1)
        gates = torch.sigmoid(self.gate(vectors.flatten(1))).view_as(values)
        fused = (gates * torch.tanh(values)).sum(dim=1)
        return FusionOutput(self.mix(fused), {"gates": gates.detach().mean(dim=2)})
