"""MulT: every modality is read by every other, token by token, then each joins what it has read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.grouped_attention import StreamBlock, ordered_pairs, stream_norm
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class MultFusion(TokenFusion):
    """Directional cross-modal transformers between all ordered pairs, then self-attention a modality.

    MulT (Tsai et al., 2019, https://arxiv.org/abs/1906.00295). For a pair source → target, a stream starts at
    the target's tokens and reads the source's tokens (as they came in) at every layer. A modality's streams
    are concatenated, token by token, to width (M − 1) D, and go through self-attention together with a
    summary token; the modalities' summaries are concatenated and go through two layers. Departures from the
    authors' code: padding is masked everywhere; the summary token is read in place of the last step, which
    may be padding; time comes in seconds. All pairs go through each operation together. A modality alone has
    its self-attention left.
    """

    cost: ClassVar[str] = (
        "attention over tokens for each ordered pair of modalities, with weights of its own, in every layer"
    )

    target: Tensor
    source: Tensor

    class Config(TokenFusion.Config):
        heads: Positive = 4
        """Attention heads."""
        layers: Positive = 2
        """Of each cross-modal transformer."""
        self_layers: Positive = 1
        """Of each modality's self-attention after that."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count, heads, dropout = len(self.modalities), config.heads, config.dropout
        pairs = ordered_pairs(count)
        self.register_buffer("target", pairs[:, 0], persistent=False)
        self.register_buffer("source", pairs[:, 1], persistent=False)
        joined = max(count - 1, 1) * width
        self.mix = mlp(count * joined, width, dropout)
        self.cross = nn.ModuleList(
            StreamBlock(len(pairs), width, heads, dropout) for _ in range(config.layers if count > 1 else 0)
        )
        self.summary = nn.Parameter(torch.randn(count, 1, 1, joined) * 0.02)
        self.own = nn.ModuleList(
            StreamBlock(count, joined, heads, dropout) for _ in range(config.self_layers)
        )

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        values, real = self.stacked(features)
        if self.cross:
            values = self._read_each_other(values, real)
        batch = values.shape[1]
        sequence = torch.cat([self.summary.expand(-1, batch, -1, -1), values], dim=2)
        real = torch.cat([real.new_ones(*real.shape[:2], 1), real], dim=2)
        for block in self.own[:-1]:
            sequence = block(sequence, real)
        summaries = self.own[-1](sequence, real, first=1)  # (M, B, 1, (M - 1) D)
        return FusionOutput(self.mix(summaries.squeeze(2).transpose(0, 1).flatten(1)))

    def _read_each_other(self, values: Tensor, real: Tensor) -> Tensor:
        """Each modality's tokens (M, B, N, D) → what its streams made of them, (M, B, N, (M - 1) D)."""
        context, readable, streams = stream_norm(values)[self.source], real[self.source], values[self.target]
        for block in self.cross:
            streams = block(streams, readable, context)
        return streams.unflatten(0, (len(values), -1)).permute(0, 2, 3, 1, 4).flatten(3)
