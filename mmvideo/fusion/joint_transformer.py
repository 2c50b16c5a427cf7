"""Early fusion as one transformer over all modalities' tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.pooling import AdditivePool
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class JointTransformerFusion(TokenFusion):
    """Every token attends to every token of every modality; attention pooling, then two layers.

    As in VideoBERT (Sun et al., 2019, https://arxiv.org/abs/1904.01766), with time in seconds for positions.
    Of stems, it is the earliest fusion.
    """

    cost: ClassVar[str] = "attention between all tokens of all modalities, in every layer"

    class Config(TokenFusion.Config):
        layers: Positive = 2
        """Transformer layers."""
        heads: Positive = 4
        """Attention heads."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.mix = mlp(width, width, config.dropout)
        self.blocks = nn.ModuleList(
            AttentionBlock(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.pool = AdditivePool(width)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        tokens = self.joined(features)
        for block in self.blocks:
            tokens = tokens.replace_values(block(tokens.values, tokens.values, tokens.mask[:, None]))
        pooled, _ = self.pool(tokens)
        return FusionOutput(self.mix(pooled))
