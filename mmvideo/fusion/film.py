"""Feature-wise linear modulation: each modality is scaled and shifted by what the others say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.errors import unknown
from mmvideo.fusion.base import Fusion, mlp
from mmvideo.schema import Dropout
from mmvideo.types import Features, FusionOutput

ALL = "all"


class FilmFusion(Fusion):
    """y_m = (1 + γ_m) ⊙ norm(x_m) + β_m with [γ_m; β_m] = W_m [the other x] + b_m; all y through two layers.

    FiLM (Perez et al., 2018, https://arxiv.org/abs/1709.07871): a linear generator, a normalisation without
    its own scale and shift before the modulation, and γ as a change from 1.

    Diagnostics: `modulation` (B, conditioned), root mean square of γ: how much the others change a modality.
    None where there is one modality.
    """

    cost: ClassVar[str] = "each clip vector is scaled and shifted by the others"

    class Config(Fusion.Config):
        conditioned: str = ALL
        """Which modality is modulated by the others: one of the modalities, or `all`."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        conditioned, choices = config.conditioned, (ALL, *self.modalities)
        if conditioned not in choices:
            raise unknown("conditioned of fusion 'film'", conditioned, choices)
        others = (len(self.modalities) - 1) * width
        modulated = self.modalities if conditioned == ALL else (conditioned,)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.generators = nn.ModuleDict(  # one modality alone has none: nothing to be conditioned on
            {name: nn.Linear(others, 2 * width) for name in modulated if others}
        )
        self.mix = mlp(len(self.modalities) * width, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        parts, strength = list(self.norm(vectors).unbind(dim=1)), []
        for name, generator in self.generators.items():
            m = self.modalities.index(name)
            others = torch.cat([vectors[:, :m], vectors[:, m + 1 :]], dim=1).flatten(1)
            scale, shift = generator(others).chunk(2, dim=1)
            parts[m] = (1 + scale) * parts[m] + shift
            strength.append(scale.detach().square().mean(dim=1).sqrt())
        diagnostics = {"modulation": torch.stack(strength, dim=1)} if strength else {}
        return FusionOutput(self.mix(torch.cat(parts, dim=1)), diagnostics)
