"""Early fusion: the modalities' stems are concatenated in time, and modelled together from there on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import Fusion
from mmvideo.layers.pooling import AdditivePool
from mmvideo.layers.recurrent import DeltaLstm
from mmvideo.layers.time import align
from mmvideo.schema import Dropout, Positive, PositiveFloat
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.vocabulary import Level


class EarlyFusion(Fusion):
    """Stems on one time grid, concatenated at every step, a joint LSTM over the steps, attention pooling.

    A modality with several tokens in a step of the grid gives their mean; with none, its nearest token.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"stem"})
    cost: ClassVar[str] = "a joint LSTM steps through the time grid, one step after the other"

    class Config(Fusion.Config):
        step_seconds: PositiveFloat = 0.125
        """Length of a step of the grid."""
        layers: Positive = 1
        """LSTM layers."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.step = config.step_seconds
        joined = len(self.modalities) * width
        self.join = nn.Sequential(
            nn.Linear(joined, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.lstm = DeltaLstm(width, width, config.layers)
        self.pool = AdditivePool(width)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        stems = [_stem(features[m]) for m in self.modalities]
        ends = [stem.time.masked_fill(~stem.mask, 0.0).amax(dim=1) for stem in stems]
        end = torch.stack(ends, dim=1).amax(dim=1)
        steps = int(_last(stems) / self.step) + 1
        centres = (torch.arange(steps, device=end.device) + 0.5) * self.step
        present = torch.stack([features[m].present for m in self.modalities], dim=1)
        aligned = torch.stack([align(stem, centres, self.step) for stem in stems], dim=2)  # (B, G, M, D)
        aligned = torch.where(present[:, None, :, None], aligned, self.absent)
        mask = centres[None, :] - self.step / 2 <= end[:, None]
        states = self.lstm(self.join(aligned.flatten(2)))
        pooled, _ = self.pool(Tokens(states, mask, centres.expand(len(end), -1)))
        return FusionOutput(pooled)


def _last(stems: Sequence[Tokens]) -> float:
    """Seconds of the last token of all clips; the device need not be waited for to know them."""
    ends = [time.masked_fill(~mask, 0.0).max() for mask, time in (stem.on_cpu() for stem in stems)]
    return torch.stack(ends).max().item()


def _stem(features: Features) -> Tokens:
    assert features.stem is not None, "early fusion reads stems, but the encoder was built without them"
    return features.stem
