"""A fusion in a width of its own, behind one linear map a modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from mmvideo.fusion.base import Fusion
from mmvideo.types import Features, FusionOutput, Tokens


class Resized(Fusion):
    """Brings the encoders' width D to the wrapped fusion's width W, with one map a modality for all levels.

    The output is (B, W). Used to compare strategies at equal numbers of parameters.

    Args:
        fusion: the strategy, built in its own width.
        inputs: D, the width the encoders end in.
    """

    def __init__(self, fusion: Fusion, inputs: int) -> None:
        nn.Module.__init__(self)  # `absent` is the wrapped fusion's
        self.config, self.modalities, self.width = fusion.config, fusion.modalities, fusion.width
        self.maps = nn.ModuleDict({m: nn.Linear(inputs, fusion.width) for m in fusion.modalities})
        self.fusion = fusion

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        return self.fusion({m: self._resize(features[m], self.maps[m]) for m in self.modalities})

    def _resize(self, features: Features, linear: nn.Module) -> Features:
        def tokens(level: Tokens | None) -> Tokens | None:
            if level is None:
                return None
            return level.replace_values(linear(level.values).masked_fill(~level.mask[..., None], 0.0))

        def clip(vectors: Tensor | None) -> Tensor | None:
            return None if vectors is None else linear(vectors).masked_fill(~features.present[:, None], 0.0)

        return replace(
            features, stem=tokens(features.stem), trunk=tokens(features.trunk), clip=clip(features.clip)
        )
