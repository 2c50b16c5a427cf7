"""Attention bottlenecks: modalities exchange what they know through a few tokens, late in the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import annotated_types as at
import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.fusion.base import mlp
from mmvideo.fusion.tokens import TokenFusion
from mmvideo.layers.grouped_attention import StreamBlock
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class BottleneckFusion(TokenFusion):
    """A transformer a modality; from `fusion_layer` on they share a few tokens, and nothing else.

    MBT (Nagrani et al., 2021, https://arxiv.org/abs/2107.00135). Below the fusion layer a modality's tokens
    and its summary token attend to each other. From there on they also read the bottleneck tokens, which are
    updated within each modality and averaged over those that are present. So what one modality knows reaches
    another one layer after the first fusion layer. The summaries are concatenated and go through two layers.

    """

    cost: ClassVar[str] = "attention among each modality's tokens, in every layer"

    class Config(TokenFusion.Config):
        bottlenecks: Positive = 4
        """How many tokens are shared (the authors' best: 4)."""
        layers: Positive = 3
        """Transformer layers."""
        fusion_layer: Annotated[int, at.Ge(0)] = 1
        """Layers before the first exchange: 0 is early, `layers` is late (no exchange at all)."""
        heads: Positive = 4
        """Attention heads."""
        dropout: Dropout = 0.1

        @model_validator(mode="after")
        def _fuses_in_some_layer(self) -> BottleneckFusion.Config:
            if self.fusion_layer > self.layers:
                raise ValueError(
                    f"fusion_layer must be from 0 (early) to layers = {self.layers} (late), "
                    f"got {self.fusion_layer}"
                )
            return self

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count, dropout = len(self.modalities), config.dropout
        self.fusion_layer = config.fusion_layer
        self.mix = mlp(count * width, width, dropout)
        self.summary = nn.Parameter(torch.randn(count, 1, 1, width) * 0.02)
        shared = config.bottlenecks if config.fusion_layer < config.layers else 0
        self.bottlenecks = nn.Parameter(torch.randn(shared, width) * 0.02) if shared else None
        self.blocks = nn.ModuleList(
            StreamBlock(count, width, config.heads, dropout) for _ in range(config.layers)
        )

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        values, real = self.stacked(features)
        streams = torch.cat([self.summary.expand(-1, values.shape[1], -1, -1), values], dim=2)
        real = torch.cat([real.new_ones(*real.shape[:2], 1), real], dim=2)
        for block in self.blocks[: self.fusion_layer]:
            streams = block(streams, real, first=self._needed(block))
        if self.bottlenecks is not None:
            present = torch.stack([features[m].present for m in self.modalities])
            streams = self._exchange(streams, real, _shares(present))
        return FusionOutput(self.mix(streams[:, :, 0].transpose(0, 1).flatten(1)))

    def _exchange(self, streams: Tensor, real: Tensor, shares: Tensor) -> Tensor:
        """The layers that read the bottlenecks; of the last one, only the summaries."""
        assert self.bottlenecks is not None
        count, batch, length = real.shape
        shared = self.bottlenecks.expand(batch, -1, -1)  # (B, R, D)
        readable = torch.cat([real, real.new_ones(count, batch, shared.shape[1])], dim=2)
        for block in self.blocks[self.fusion_layer :]:
            joint = torch.cat([streams, shared.expand(count, -1, -1, -1)], dim=2)
            joint = block(joint, readable, first=self._needed(block))
            if self._needed(block):
                return joint
            streams, versions = joint[:, :, :length], joint[:, :, length:]
            shared = (shares[:, :, None, None] * versions).sum(dim=0)
        raise AssertionError("there is a last layer")

    def _needed(self, block: nn.Module) -> int | None:
        return 1 if block is self.blocks[-1] else None


def _shares(present: Tensor) -> Float[Tensor, "M B"]:
    """How much each modality's version of the bottlenecks counts: all present ones alike; if none is, all."""
    counted = present | ~present.any(dim=0)
    return counted / counted.sum(dim=0)
