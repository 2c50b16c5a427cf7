"""What every encoder promises: three levels, masks and times; and only the levels somebody reads."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import ClassVar

from torch import nn

from mmvideo.config.encoders import ClipPool
from mmvideo.layers.pooling import make_pool
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import Level


class Encoder(nn.Module):
    """Stem → trunk → clip. A subclass gives `stem` and `trunk`; what no fusion reads is not built or run.

    Args:
        width: D, in which every level ends.
        levels: the levels the fusion reads.
        clip_pool: how the trunk becomes the clip vector (see mmvideo.layers.pooling).
    """

    reads_features: ClassVar[bool] = False
    """Whether its input is the manifest's precomputed features rather than decoded media."""

    same_weights: ClassVar[Mapping[str, str]] = {}
    """A weight's name → its name in an encoder of the same kind that is built with more levels."""

    def __init__(self, width: int, levels: Set[Level], clip_pool: ClipPool) -> None:
        super().__init__()
        self.width, self.levels = width, frozenset(levels)
        self.pool = make_pool(clip_pool, width) if "clip" in levels else None

    @property
    def needs_trunk(self) -> bool:
        return bool(self.levels & {"trunk", "clip"})

    def stem(self, inputs: Tokens) -> Tokens:
        """Per-frame, per-patch or per-word features, (B, N, D), without temporal modelling."""
        raise NotImplementedError(f"{type(self).__name__} defines no stem")

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        """The stem after temporal modelling, (B, N, D)."""
        raise NotImplementedError(f"{type(self).__name__} defines no trunk")

    def forward(self, inputs: Tokens) -> Features:
        """The levels asked for. A clip whose mask is all False is absent: its features are zeros."""
        stem = _zero_padding(self.stem(inputs))
        trunk = _zero_padding(self.trunk(stem, inputs)) if self.needs_trunk else None
        clip, weights = self.pool(trunk) if self.pool is not None and trunk is not None else (None, None)
        return Features(
            present=inputs.mask.any(dim=1),
            stem=stem if "stem" in self.levels else None,
            trunk=trunk if "trunk" in self.levels else None,
            clip=clip,
            weights=weights,
        )


def _zero_padding(tokens: Tokens) -> Tokens:
    return tokens.replace_values(tokens.values.masked_fill(~tokens.mask[..., None], 0.0))
