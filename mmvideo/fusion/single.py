"""One modality alone: the control that every fusion has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmvideo.errors import InputError
from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput


class SingleModality(Fusion):
    """The clip vector of the only modality, through the same layers as late fusion."""

    cost: ClassVar[str] = "two layers over one clip vector"

    class Config(Fusion.Config):
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        if len(modalities) != 1:
            raise InputError(
                f"fusion 'single' takes exactly one modality, got {', '.join(modalities)}; "
                "name one, or choose another fusion"
            )
        self.mix = mlp(width, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        return FusionOutput(self.mix(vectors[:, 0]))
