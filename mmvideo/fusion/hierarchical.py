"""Hierarchical cross-attention: modalities read each other at every level, coarse to fine, along time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import field_validator
from torch import Tensor, nn

from mmvideo.errors import InputError, unknown
from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.cross_attention import AcrossBlock
from mmvideo.layers.time import TimeDistanceBias, TimeEncoding
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.vocabulary import LEVELS, Level

COARSE_TO_FINE: tuple[Level, ...] = ("trunk", "stem")
ALL_LEVELS = "+".join(LEVELS)
BOTH = "both"


class HierarchicalFusion(Fusion):
    """Cross-attention at clip, trunk and stem level, or at some of these.

    One summary vector a modality starts from the clip vectors, which attend to each other. Then, from coarse
    (trunk) to fine (stem), the level's tokens attend across modalities (a token sees only the *other*
    modalities' tokens, nearer ones in time more easily), and the summaries read them. The output is the
    summaries, concatenated, through the same two layers as in late fusion. Cross-modal attention after MulT
    (Tsai et al., 2019, https://arxiv.org/abs/1906.00295), in one batched call for all ordered pairs of
    modalities.
    """

    reads: ClassVar[frozenset[Level]] = frozenset(LEVELS)
    cost: ClassVar[str] = "attention of tokens to the other modalities' tokens, at trunk and at stem level"
    may_read: Bool[Tensor, "M M"]  # whether a modality may read another; itself, always

    class Config(Fusion.Config):
        heads: Positive = 4
        """Attention heads."""
        dropout: Dropout = 0.1
        """Inside the attention blocks and the last layers."""
        aligned: bool = True
        """Whether attention knows how far apart in time two tokens are."""
        levels: str = ALL_LEVELS
        """Which levels are read, joined by +, such as `clip` or `stem+trunk`. Without `clip`, the summaries
        start from learned vectors."""
        direction: str = BOTH
        """`both`: every modality queries every other. `to_audio` (or another modality): that one queries the
        others; theirs read nothing but their own."""
        shared: bool = False
        """One set of weights for all levels, or one each."""

        @field_validator("levels")
        @classmethod
        def _names_levels(cls, value: str) -> str:
            _parse(value)
            return value

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.levels = _parse(config.levels)
        heads, dropout, aligned, shared = config.heads, config.dropout, config.aligned, config.shared
        direction, directions = config.direction, (BOTH, *(f"to_{m}" for m in self.modalities))
        if direction not in directions:
            raise unknown("direction of fusion 'hierarchical'", direction, directions)
        token_levels = [level for level in COARSE_TO_FINE if level in self.levels]
        self.modality = nn.Parameter(torch.randn(len(self.modalities), width) * 0.02)
        self.time = TimeEncoding(width) if aligned and token_levels else None
        crosses = len(self.modalities) > 1
        # over a single vector, attention would have nothing to choose from
        self.begins = "clip" in self.levels and crosses
        own_across = self.begins and not (shared and token_levels)
        self.across = AttentionBlock(width, heads, dropout) if own_across else None
        names = ["all"] if shared and token_levels else token_levels
        self.stages = nn.ModuleDict(
            {name: _Stage(width, heads, dropout, aligned=aligned, crosses=crosses) for name in names}
        )
        self.shared = shared
        self.mix = mlp(len(self.modalities) * width, width, dropout)
        reader = None if direction == BOTH else self.modalities.index(direction.removeprefix("to_"))
        numbers = range(len(self.modalities))
        who = [[n == m or reader in (None, m) for n in numbers] for m in numbers]
        self.register_buffer("may_read", torch.tensor(who), persistent=False)
        self.others = [[n for n in numbers if who[m][n] and n != m] for m in numbers]

    @classmethod
    def levels_read(cls, config: Fusion.Config) -> frozenset[Level]:
        assert isinstance(config, HierarchicalFusion.Config)
        return _parse(config.levels)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        summaries = self._start(features)
        for level in COARSE_TO_FINE:
            if level in self.levels:
                parts = [_level(features[m], level) for m in self.modalities]
                stage = self.stages["all" if self.shared else level]
                counts = [part.mask.shape[1] for part in parts]
                summaries = stage(summaries, self._join(parts), counts, self.others, self.may_read)
        return FusionOutput(self.mix(summaries.flatten(1)))

    def _start(self, features: Mapping[str, Features]) -> Float[Tensor, "B M D"]:
        """One vector a modality: its clip vector after reading the others', or a learned one."""
        if "clip" not in self.levels:
            present = torch.stack([features[m].present for m in self.modalities], dim=1)
            return self.modality + torch.where(present[..., None], 0.0, self.absent)
        vectors, present = self.clips(features)
        vectors = vectors + self.modality
        if not self.begins:
            return vectors
        across = self.across
        if across is None:
            shared = self.stages["all"]
            assert isinstance(shared, _Stage)
            across = shared.read
        return across(vectors, vectors, self.may_read.expand(len(present), -1, -1))

    def _join(self, parts: list[Tokens]) -> Tokens:
        """All modalities' tokens in one sequence (B, ΣN, D), marked with owner and time."""
        values = torch.cat([part.values + self.modality[m] for m, part in enumerate(parts)], dim=1)
        mask = torch.cat([part.mask for part in parts], dim=1)
        time = torch.cat([part.time for part in parts], dim=1)
        if self.time is not None:
            values = values + self.time(time)
        return Tokens(values.masked_fill(~mask[..., None], 0.0), mask, time)


class _Stage(nn.Module):
    """One level: tokens attend across modalities, then the summaries read them."""

    def __init__(self, width: int, heads: int, dropout: float, *, aligned: bool, crosses: bool) -> None:
        super().__init__()
        self.cross = AcrossBlock(width, heads, dropout) if crosses else None
        self.bias = TimeDistanceBias(heads) if aligned and crosses else None
        self.read = AttentionBlock(width, heads, dropout)

    def forward(
        self,
        summaries: Float[Tensor, "B M D"],
        tokens: Tokens,
        counts: Sequence[int],
        others: Sequence[Sequence[int]],
        may_read: Bool[Tensor, "M M"],
    ) -> Float[Tensor, "B M D"]:
        """The summaries after reading `tokens`, of which each modality has as many as `counts` says."""
        values, mask = tokens.values, tokens.mask
        if self.cross is not None:
            values = self.cross(values, mask, counts, others, self.bias, tokens.time)
        owner = [m for m, count in enumerate(counts) for _ in range(count)]
        return self.read(summaries, values, may_read[:, owner] & mask[:, None, :])


def _parse(levels: str) -> frozenset[Level]:
    """`stem+clip` → the set of levels.

    Raises:
        InputError: an unknown or repeated level, or none.
    """
    names = [name.strip() for name in levels.split("+")]
    for name in names:
        if name not in LEVELS:
            raise unknown("level", name, LEVELS)
    if len(set(names)) < len(names):
        raise InputError("a level is named twice")
    return frozenset(level for level in LEVELS if level in names)


def _level(features: Features, level: Level) -> Tokens:
    tokens = features.stem if level == "stem" else features.trunk
    assert tokens is not None, f"hierarchical fusion reads {level}s, but the encoder was built without them"
    return tokens
