"""Parallel co-attention: at every layer each modality reads the others as they are by then, then itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.grouped_attention import (
    StreamAttention,
    StreamBlock,
    StreamFeedForward,
    ordered_pairs,
    stream_norm,
)
from mmvideo.layers.pooling import AdditivePool
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput, Tokens


class CoAttentionFusion(TokenFusion):
    """Layers of co-attention between all pairs of modalities, each followed by self-attention.

    Parallel co-attention (Lu et al., 2016, https://arxiv.org/abs/1606.00061) in transformer layers, as in
    ViLBERT (Lu et al., 2019, https://arxiv.org/abs/1908.02265). One sequence a modality; what it reads from
    several others is added up. Unlike in `mult`, others are read as they are at that layer, so what one
    modality learnt from a second reaches the third. Attention pooling a modality, then two layers over the
    modalities' vectors. A modality alone has its self-attention left.
    """

    cost: ClassVar[str] = (
        "attention over tokens for each ordered pair and within each modality, in every layer"
    )

    class Config(TokenFusion.Config):
        layers: Positive = 2
        """Pairs of a co-attention and a self-attention layer."""
        heads: Positive = 4
        """Attention heads."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count, layers, heads, dropout = len(self.modalities), config.layers, config.heads, config.dropout
        self.mix = mlp(count * width, width, dropout)
        self.cross = nn.ModuleList(
            _CoAttention(count, width, heads, dropout) for _ in range(layers if count > 1 else 0)
        )
        self.own = nn.ModuleList(StreamBlock(count, width, heads, dropout) for _ in range(layers))
        self.pools = nn.ModuleList(AdditivePool(width) for _ in self.modalities)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        values, real = self.stacked(features)
        for layer, own in enumerate(self.own):
            if self.cross:
                values = self.cross[layer](values, real)
            values = own(values, real)
        time = values.new_zeros(real.shape)  # pooling does not read it
        vectors = [pool(Tokens(values[m], real[m], time[m]))[0] for m, pool in enumerate(self.pools)]
        return FusionOutput(self.mix(torch.cat(vectors, dim=1)))


class _CoAttention(nn.Module):
    """Pre-norm residual layer: each modality adds up what it reads from each other one, then feed-forward."""

    target: Tensor
    source: Tensor

    def __init__(self, count: int, width: int, heads: int, dropout: float, expansion: int = 2) -> None:
        super().__init__()
        pairs = ordered_pairs(count)
        self.register_buffer("target", pairs[:, 0], persistent=False)
        self.register_buffer("source", pairs[:, 1], persistent=False)
        self.attention = StreamAttention(len(pairs), width, heads)
        self.feed_forward = StreamFeedForward(count, width, expansion)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, values: Float[Tensor, "M B N D"], real: Bool[Tensor, "M B N"]
    ) -> Float[Tensor, "M B N D"]:
        normed = stream_norm(values)
        read = self.attention(normed[self.target], normed[self.source], real[self.source])
        values = values + self.dropout(read.unflatten(0, (len(values), -1)).sum(dim=1))
        return values + self.dropout(self.feed_forward(stream_norm(values)))
