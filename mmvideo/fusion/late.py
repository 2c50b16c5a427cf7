"""Late fusion of vectors: each modality is encoded to the end on its own, then all are read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class LateFusion(Fusion):
    """Clip vectors concatenated, then two layers."""

    cost: ClassVar[str] = "two layers over the clip vectors"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.mix = mlp(len(self.modalities) * width, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(vectors.flatten(1)))
