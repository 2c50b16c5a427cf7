"""One modality alone: the control that every fusion has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.types import Features, FusionOutput


class SingleModality(Fusion):
    """The clip vector of the only modality, through the same layers as late fusion."""

    cost: ClassVar[str] = "two layers over one clip vector"

    def __init__(self, modalities: Sequence[str], width: int, dropout: float = 0.1) -> None:
        super().__init__(modalities, width)
        assert len(self.modalities) == 1, self.modalities
        self.mix = mlp(width, width, dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(vectors[:, 0]))
