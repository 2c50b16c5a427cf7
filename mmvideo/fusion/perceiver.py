"""Perceiver: a few learned vectors read all modalities' tokens, and think about them among themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.attention import AttentionBlock
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class PerceiverFusion(TokenFusion):
    """Latents cross-attend to all tokens, then self-attend; their mean goes through two layers.

    Perceiver (Jaegle et al., 2021, https://arxiv.org/abs/2103.03206) with one reading of the input. Costs
    grow linearly with the number of tokens.
    """

    cost: ClassVar[str] = "the latents read every token once, then attend to each other"

    class Config(TokenFusion.Config):
        latents: Positive = 16
        """How many vectors read."""
        layers: Positive = 2
        """Self-attention layers among the latents."""
        heads: Positive = 4
        """Attention heads."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        heads, dropout = config.heads, config.dropout
        self.mix = mlp(width, width, dropout)
        self.latents = nn.Parameter(torch.randn(config.latents, width) * 0.02)
        self.read = AttentionBlock(width, heads, dropout)
        self.think = nn.ModuleList(AttentionBlock(width, heads, dropout) for _ in range(config.layers))

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        tokens = self.joined(features)
        latents = self.latents.expand(len(tokens.mask), -1, -1)
        latents = self.read(latents, tokens.values, tokens.mask[:, None])
        everyone = torch.ones(len(latents), 1, latents.shape[1], dtype=torch.bool, device=latents.device)
        for block in self.think:
            latents = block(latents, latents, everyone)
        return FusionOutput(self.mix(latents.mean(dim=1)))
