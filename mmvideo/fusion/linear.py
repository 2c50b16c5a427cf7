"""The plainest fusion: concatenated clip embeddings and one linear map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from mmvideo.fusion.base import Fusion
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class LinearFusion(Fusion):
    """Clip embeddings concatenated, then one linear map: with the linear head, a logistic regression on them.

    As `late_sum`, it adds one term for each modality, but has no hidden layer that could overfit.
    """

    cost: ClassVar[str] = "one linear map of the clip embeddings"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.dropout = nn.Dropout(config.dropout)
        self.mix = nn.Linear(len(self.modalities) * width, width)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(self.dropout(vectors.flatten(1))))
