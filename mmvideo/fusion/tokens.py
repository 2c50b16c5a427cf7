"""What the fusions that read token sequences share: marked tokens, absent modalities as a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.fusion.base import Fusion
from mmvideo.layers.time import TimeEncoding
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import Level


class TokenFusion(Fusion):
    """A fusion of token sequences of one level.

    Tokens carry their modality (a learned vector) and their time (Fourier features of seconds). A clip
    without a modality has one token of it, the learned vector `absent`: so no sequence is ever empty, and
    others can read that something is missing.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"trunk"})

    class Config(Fusion.Config):
        level: Literal["stem", "trunk"] = "trunk"
        """Which tokens: after temporal modelling (`trunk`) or before (`stem`)."""

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        self.level: Level = config.level
        self.modality = nn.Parameter(torch.randn(len(self.modalities), width) * 0.02)
        self.time = TimeEncoding(width)

    @classmethod
    def levels_read(cls, config: Fusion.Config) -> frozenset[Level]:
        assert isinstance(config, TokenFusion.Config)
        return frozenset({config.level})

    def sequences(self, features: Mapping[str, Features]) -> list[Tokens]:
        """Each modality's marked tokens, in order; padding holds zeros, at time 0."""
        return [self._mark(_tokens(features[m], self.level), i) for i, m in enumerate(self.modalities)]

    def joined(self, features: Mapping[str, Features]) -> Tokens:
        """All modalities' tokens in one sequence (B, ΣN, D)."""
        parts = self.sequences(features)
        return Tokens(
            torch.cat([part.values for part in parts], dim=1),
            torch.cat([part.mask for part in parts], dim=1),
            torch.cat([part.time for part in parts], dim=1),
        )

    def stacked(
        self, features: Mapping[str, Features]
    ) -> tuple[Float[Tensor, "M B N D"], Bool[Tensor, "M B N"]]:
        """The modalities' tokens on top of each other, padded to the longest; and which are real."""
        parts = self.sequences(features)
        longest = max(part.mask.shape[1] for part in parts)
        missing = [longest - part.mask.shape[1] for part in parts]
        values = [
            F.pad(p.values, (0, 0, 0, n)) if n else p.values for p, n in zip(parts, missing, strict=True)
        ]
        masks = [F.pad(p.mask, (0, n)) if n else p.mask for p, n in zip(parts, missing, strict=True)]
        return torch.stack(values), torch.stack(masks)

    def _mark(self, tokens: Tokens, index: int) -> Tokens:
        first = torch.arange(tokens.mask.shape[1], device=tokens.mask.device) == 0
        stand_in = first & ~tokens.mask.any(dim=1, keepdim=True)
        time = torch.where(tokens.mask, tokens.time, 0.0)
        marked = tokens.values + (self.modality[index] + self.time(time))
        filler = torch.where(stand_in[..., None], self.absent[index], 0.0)
        return Tokens(torch.where(tokens.mask[..., None], marked, filler), tokens.mask | stand_in, time)


def _tokens(features: Features, level: Level) -> Tokens:
    tokens = features.stem if level == "stem" else features.trunk
    assert tokens is not None, f"the fusion reads {level}s, but the encoder was built without them"
    return tokens
