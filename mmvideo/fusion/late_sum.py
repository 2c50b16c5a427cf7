"""Late fusion of decisions: each modality's evidence for each class is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class LateSumFusion(Fusion):
    """Σ over modalities of its own two layers. The head is linear, so logits are a sum of one term for each.

    This is the additive model: it weighs votes (a product of experts, Hinton, 2002) and by construction
    cannot let one modality decide how another is to be read.

    Diagnostics: `evidence_share` (B, M), each modality's part of the summed norms.
    """

    cost: ClassVar[str] = "two layers for each modality's clip vector"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.experts = nn.ModuleList(mlp(width, width, config.dropout) for _ in self.modalities)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        evidence = torch.stack([expert(vectors[:, m]) for m, expert in enumerate(self.experts)], dim=1)
        share = evidence.norm(dim=2) / evidence.norm(dim=2).sum(dim=1, keepdim=True).clamp(min=1e-6)
        return FusionOutput(evidence.sum(dim=1), {"evidence_share": share.detach()})
