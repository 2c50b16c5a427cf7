"""Early fusion as one transformer over all modalities' tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.options import check_count
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.pooling import AdditivePool
from mmvideo.types import Features, FusionOutput


class JointTransformerFusion(TokenFusion):
    """Every token attends to every token of every modality; attention pooling, then two layers.

    As in VideoBERT (Sun et al., 2019, https://arxiv.org/abs/1904.01766), with time in seconds for positions.

    Args:
        layers: transformer layers.
        heads: attention heads.
        level: which tokens, `trunk` or `stem` (the earliest fusion).
    """

    cost: ClassVar[str] = "attention between all tokens of all modalities, in every layer"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        level: str = "trunk",
    ) -> None:
        super().__init__(modalities, width, level)
        for option, value in (("layers", layers), ("heads", heads)):
            check_count("joint_transformer", option, value)
        self.mix = mlp(width, width, dropout)
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, dropout) for _ in range(layers))
        self.pool = AdditivePool(width)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        tokens = self.joined(features)
        for block in self.blocks:
            tokens = tokens.replace_values(block(tokens.values, tokens.values, tokens.mask[:, None]))
        pooled, weights = self.pool(tokens)
        return FusionOutput(self.mix(pooled), {"token_weights": weights.detach()})
