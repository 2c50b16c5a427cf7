"""Multimodal transfer module: modalities recalibrate each other's channels before they are pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.pooling import AdditivePool, MeanPool
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.vocabulary import Level


class MmtmFusion(Fusion):
    """Squeeze and excitation across modalities on trunk tokens, attention pooling, then two layers.

    MMTM (Joze et al., 2020, https://arxiv.org/abs/1911.08670): the squeeze s_m is the mean of a modality's
    real tokens, the joint code is z = relu(W [s_1; …; s_M] + b), and channel gates 2σ(W_m z + b_m) multiply
    every token of modality m; a gate of 1 leaves a channel as it is. Pooling is by attention, one pool a
    modality: before a plain mean, gating the tokens would be no more than gating their mean.

    Diagnostics: `gates` (B, M), each modality's mean gate, 0 closed, 1 as it was, 2 doubled.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"trunk"})
    cost: ClassVar[str] = "every trunk token of every modality is gated and pooled"

    class Config(Fusion.Config):
        reduction: Positive = 4
        """The joint code has M · width / reduction channels (4 in the paper), at least one."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        joined = len(self.modalities) * width
        code = max(1, joined // config.reduction)
        self.squeeze = MeanPool()
        self.code = nn.Linear(joined, code)
        self.excite = nn.Linear(code, joined)
        self.pools = nn.ModuleList(AdditivePool(width) for _ in self.modalities)
        self.mix = mlp(joined, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        trunks = [_trunk(features[m]) for m in self.modalities]
        present = torch.stack([features[m].present for m in self.modalities], dim=1)[..., None]
        means = torch.stack([self.squeeze(trunk)[0] for trunk in trunks], dim=1)
        squeezed = torch.where(present, means, self.absent)
        code = torch.relu(self.code(squeezed.flatten(1)))
        gates = 2 * torch.sigmoid(self.excite(code)).view_as(squeezed)
        pooled = [
            pool(trunk.replace_values(trunk.values * gates[:, m, None]))[0]
            for m, (pool, trunk) in enumerate(zip(self.pools, trunks, strict=True))
        ]
        vectors = torch.where(present, torch.stack(pooled, dim=1), self.absent)
        return FusionOutput(self.mix(vectors.flatten(1)), {"gates": gates.detach().mean(dim=2)})


def _trunk(features: Features) -> Tokens:
    assert features.trunk is not None, "fusion 'mmtm' reads trunks, but the encoder was built without them"
    return features.trunk
