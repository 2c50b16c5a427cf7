"""Attention over modalities: a weight for each one that is present, chosen by what all of them say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput

Score = Literal["additive", "dot"]


class AttentionFusion(Fusion):
    """h = Σ_m α_m V_m x_m, α = softmax of the scores over the modalities that are present; then two layers.

    With n_m = x_m + a learned name of the modality, and c the mean of n over those present, scores are
    vᵀ tanh(K n_m + Q c) (`additive`; Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473) or
    (K n_m)ᵀ (Q c) / √D (`dot`; Vaswani et al., 2017, https://arxiv.org/abs/1706.03762). The query knows all
    modalities, so one of them can decide which other is read. A clip with no modality at all attends over the
    learned stand-ins. One modality has nothing to choose from, so that nothing to score with is built.

    Diagnostics: `modality_weights` (B, M), which sum to 1.
    """

    cost: ClassVar[str] = "one attention over the clip vectors"

    class Config(Fusion.Config):
        score: Score = "additive"
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in self.modalities)
        self.mix = mlp(width, width, config.dropout)
        count = len(self.modalities)
        self.scorer = _Scorer(count, width, config.score) if count > 1 else None

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, present = self.clips(features)
        readable = present | ~present.any(dim=1, keepdim=True)
        if self.scorer is None:
            weights = torch.ones_like(vectors[:, :, 0])
        else:
            scores = self.scorer(vectors, readable)
            weights = torch.softmax(scores.masked_fill(~readable, -torch.inf), dim=1)
        values = torch.stack([value(vectors[:, m]) for m, value in enumerate(self.values)], dim=1)
        fused = (weights[..., None] * values).sum(dim=1)
        return FusionOutput(self.mix(fused), {"modality_weights": weights.detach()})


class _Scorer(nn.Module):
    """One score a modality, from its own vector and the mean of all that may be read."""

    def __init__(self, count: int, width: int, score: Score) -> None:
        super().__init__()
        self.names = nn.Parameter(torch.randn(count, width) * 0.02)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)  # a bias would shift all scores of `dot` alike
        self.energy = nn.Linear(width, 1, bias=False) if score == "additive" else None

    def forward(self, vectors: Float[Tensor, "B M D"], readable: Bool[Tensor, "B M"]) -> Float[Tensor, "B M"]:
        named = vectors + self.names
        share = readable / readable.sum(dim=1, keepdim=True)
        query = self.query((share[..., None] * named).sum(dim=1, keepdim=True))
        keys = self.key(named)
        if self.energy is not None:
            return self.energy(torch.tanh(keys + query)).squeeze(2)
        return (keys * query).sum(dim=2) * keys.shape[2] ** -0.5
