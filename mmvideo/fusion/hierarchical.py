"""Hierarchical cross-attention: modalities read each other at every level, coarse to fine, along time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.time import TimeDistanceBias, TimeEncoding
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.words import Level

COARSE_TO_FINE: tuple[Level, ...] = ("trunk", "stem")


class HierarchicalFusion(Fusion):
    """Cross-attention at clip, trunk and stem level.

    One summary vector a modality starts from the clip vectors, which attend to each other. Then, from coarse
    (trunk) to fine (stem), the level's tokens attend across modalities (a token sees only the *other*
    modalities' tokens, nearer ones in time more easily), and the summaries read them. The output is the
    summaries side by side, through the same two layers as in late fusion. Cross-modal attention after MulT
    (Tsai et al., 2019, https://arxiv.org/abs/1906.00295), in one batched call for all ordered pairs of
    modalities.

    Args:
        heads: attention heads.
        dropout: inside the attention blocks.
        aligned: whether attention knows how far apart in time two tokens are.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"stem", "trunk", "clip"})

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        heads: int = 4,
        dropout: float = 0.1,
        aligned: bool = True,
    ) -> None:
        super().__init__(modalities, width)
        self.modality = nn.Parameter(torch.randn(len(self.modalities), width) * 0.02)
        self.time = TimeEncoding(width) if aligned else None
        self.across = AttentionBlock(width, heads, dropout)
        self.stages = nn.ModuleDict(
            {
                level: _Stage(width, heads, dropout, aligned=aligned, crosses=len(self.modalities) > 1)
                for level in COARSE_TO_FINE
            }
        )
        self.mix = mlp(len(self.modalities) * width, width, dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, present = self.clips(features)
        batch, count = present.shape
        everyone = present.new_ones(batch, count, count)
        summaries = self.across(vectors + self.modality, vectors + self.modality, everyone)
        for level in COARSE_TO_FINE:
            tokens, owner = self._join([_level(features[m], level) for m in self.modalities])
            summaries = self.stages[level](summaries, tokens, owner)
        return FusionOutput(self.mix(summaries.flatten(1)))

    def _join(self, parts: list[Tokens]) -> tuple[Tokens, Tensor]:
        """All modalities' tokens in one sequence (B, ΣN, D), marked with owner and time; and owners (ΣN,)."""
        values = torch.cat([part.values + self.modality[m] for m, part in enumerate(parts)], dim=1)
        mask = torch.cat([part.mask for part in parts], dim=1)
        time = torch.cat([part.time for part in parts], dim=1)
        counts = [part.mask.shape[1] for part in parts]
        owner = torch.cat([torch.full((count,), m, device=mask.device) for m, count in enumerate(counts)])
        if self.time is not None:
            values = values + self.time(time)
        return Tokens(values.masked_fill(~mask[..., None], 0.0), mask, time), owner


class _Stage(nn.Module):
    """One level: tokens attend across modalities, then the summaries read them."""

    def __init__(self, width: int, heads: int, dropout: float, *, aligned: bool, crosses: bool) -> None:
        super().__init__()
        self.cross = AttentionBlock(width, heads, dropout) if crosses else None
        self.bias = TimeDistanceBias(heads) if aligned and crosses else None
        self.read = AttentionBlock(width, heads, dropout)

    def forward(
        self, summaries: Float[Tensor, "B M D"], tokens: Tokens, owner: Tensor
    ) -> Float[Tensor, "B M D"]:
        values = tokens.values
        if self.cross is not None:
            others: Bool[Tensor, "N N"] = owner[:, None] != owner[None, :]
            bias = self.bias(tokens.time, tokens.time) if self.bias is not None else None
            values = self.cross(values, values, others & tokens.mask[:, None, :], bias)
        readable = tokens.mask[:, None, :].expand(-1, summaries.shape[1], -1)
        return self.read(summaries, values, readable)


def _level(features: Features, level: Level) -> Tokens:
    tokens = features.stem if level == "stem" else features.trunk
    assert tokens is not None, f"hierarchical fusion reads {level}s, but the encoder was built without them"
    return tokens
