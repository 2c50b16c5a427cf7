"""What every encoder promises: three levels, masks and times; and only the levels somebody reads."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, ClassVar

import torch
from torch import nn

from mmvideo.encoders.ahead import Ahead
from mmvideo.layers.pooling import ClipPool, make_pool
from mmvideo.modalities.base import Modality
from mmvideo.pretrained import Family
from mmvideo.schema import Dropout, Part
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import Level


class Encoder(nn.Module):
    """Stem → trunk → clip. A subclass gives `stem` and `trunk`; what no fusion reads is not built or run.

    It says which kind of modality it `takes`, and in `needs` what it has to be given of it. To add one: one
    file, and one line in `mmvideo.components.ENCODERS`.

    Args:
        config: its options.
        told: what the modality has learnt of the training split (`Modality.told`); None: nothing.
        width: D, in which every level ends.
        levels: the levels the fusion reads.
    """

    takes: ClassVar[str]

    families: ClassVar[Mapping[str, Family]] = {}
    """Of pretrained models that it can be made of: what their files call the kind → what they are."""

    same_weights: ClassVar[Mapping[str, str]] = {}
    """A weight's name → its name in an encoder of the same kind that is built with more levels."""

    class Config(Part):
        """Options that all encoders have."""

        clip_pool: ClipPool = "attention"
        """How the trunk becomes one vector: masked mean, additive attention over the tokens, or the means of
        twelve parts of the clip, which keep *when* something was there."""
        dropout: Dropout = 0.1

    def __init__(self, config: Any, told: Any, width: int, levels: Set[Level]) -> None:
        super().__init__()
        self.config, self.width, self.levels = config, width, frozenset(levels)
        self.pool = make_pool(config.clip_pool, width) if "clip" in levels else None

    @classmethod
    def needs(cls, config: Any) -> Any:
        """What has to be given to an encoder with these options, in the terms of its kind of modality."""
        return None

    @classmethod
    def refuse_unusable(cls, config: Any) -> None:
        """
        Raises:
            InputError: what the options name cannot be used. It is told before anything is decoded.
        """

    @classmethod
    def encode_ahead(cls, config: Any, modality: Modality, device: torch.device) -> Ahead | None:
        """How clips are encoded once for all runs, where the options ask for it; what comes of it stands in
        for the modality's input. None: they are not."""
        return None

    @classmethod
    def views_ahead(cls, config: Any) -> int:
        """In how many changes of training `encode_ahead` is to encode each clip, beside the clip as it is."""
        return 0

    @property
    def pretrained(self) -> nn.Module | None:
        """The pretrained network in it, which has a learning rate of its own (`train.rates`); None: there is
        none."""
        return None

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
        clip = self.pool(trunk)[0] if self.pool is not None and trunk is not None else None
        return Features(
            present=inputs.mask.any(dim=1),
            stem=stem if "stem" in self.levels else None,
            trunk=trunk if "trunk" in self.levels else None,
            clip=clip,
        )


def _zero_padding(tokens: Tokens) -> Tokens:
    return tokens.replace_values(tokens.values.masked_fill(~tokens.mask[..., None], 0.0))
