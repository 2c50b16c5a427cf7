"""Late fusion of vectors: each modality is encoded to the end on its own, then all are read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.types import Features, FusionOutput


class LateFusion(Fusion):
    """Clip vectors concatenated, then two layers."""

    cost: ClassVar[str] = "two layers over the clip vectors"

    def __init__(self, modalities: Sequence[str], width: int, dropout: float = 0.1) -> None:
        super().__init__(modalities, width)
        self.mix = mlp(len(self.modalities) * width, width, dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(vectors.flatten(1)))
