"""Precomputed features, of any modality: one vector a clip, or a sequence of them."""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmvideo.encoders.base import Encoder
from mmvideo.layers.recurrent import DeltaLstm
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import Level


class FeatureLstm(Encoder):
    """Stem: each vector, standardised and projected. Trunk: LSTM states added to it. Clip: masked pooling.

    A clip of one vector has no time to model: its trunk is its stem, and where every training clip is one
    vector no LSTM is built.

    Inputs are float vectors (B, N, F) as the file has them.

    Args:
        told: width of the input, and the mean and standard deviation by which it is standardised; both are
            kept in the weights.
    """

    takes: ClassVar[str] = "features"
    mean: Tensor
    std: Tensor

    def __init__(self, config: Encoder.Config, told: FeatureInput, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.register_buffer("mean", torch.tensor(told.mean))
        self.register_buffer("std", torch.tensor(told.std))
        self.project = nn.Sequential(
            nn.Linear(told.width, width), nn.LayerNorm(width), nn.Dropout(config.dropout)
        )
        self.lstm = DeltaLstm(width, width) if self.needs_trunk and told.longest > 1 else None

    def stem(self, inputs: Tokens) -> Tokens:
        values = (inputs.values - self.mean) / self.std
        return inputs.replace_values(self.project(values.masked_fill(~inputs.mask[..., None], 0.0)))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        if self.lstm is None:
            return stem
        states = stem.values + self.lstm(stem.values)  # causal: padding cannot reach the real vectors
        alone = stem.mask.sum(dim=1) == 1
        return stem.replace_values(torch.where(alone[:, None, None], stem.values, states))
