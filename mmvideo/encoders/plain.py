"""What encoders share that have next to nothing to learn: plain vectors of items, their parts and summary."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import annotated_types as at
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import Ahead, options_of
from mmvideo.encoders.base import Encoder
from mmvideo.encoders.features import FeatureLstm
from mmvideo.layers.pooling import part_shares
from mmvideo.schema import added
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import Level


@dataclass(frozen=True)
class PlainVectors:
    """What an encoder of plain vectors makes of a clip's items before anything is learnt."""

    measured: Callable[[Tensor], Tensor]
    """A clip's items, or those of several, as they follow one another → a vector for each."""
    parts: int = 0
    """In place of the vectors, the means of so many parts of the clip, as `part_shares` has them; 0: none."""
    summary: bool = False
    """Each vector or part stands beside mean and deviation of the clip's vectors."""

    def __call__(self, items: Tensor) -> Float[Tensor, "N F"]:
        """Of one whole clip."""
        values = self.measured(items)
        mask = torch.ones(1, len(values), dtype=torch.bool)
        return self.of(Tokens(values[None], mask, mask.float())).values[0]

    def of(self, vectors: Tokens) -> Tokens:
        """The same of clips (B, N, F) whose vectors are known."""
        found = vectors
        if self.parts:
            shares = part_shares(vectors.mask, self.parts)
            summed = (shares.transpose(1, 2) @ t for t in (vectors.values, vectors.time[..., None]))
            values, time = summed
            there = vectors.mask.any(dim=1, keepdim=True).expand(-1, self.parts)
            found = Tokens(values, there, time[..., 0])
        if not self.summary:
            return found
        beside = clip_summary(vectors.values, vectors.mask).expand(-1, found.values.shape[1], -1)
        return found.replace_values(torch.cat([found.values, beside], dim=-1))


def clip_summary(values: Float[Tensor, "B N F"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B 1 2*F"]:
    """Mean and deviation of each clip's vectors."""
    real = mask[..., None].to(values.dtype)
    count = real.sum(dim=1, keepdim=True).clamp(min=1)
    values = values * real
    mean = values.sum(dim=1, keepdim=True) / count
    deviation = (((values - mean) * real).square().sum(dim=1, keepdim=True) / count).sqrt()
    return torch.cat([mean, deviation], dim=-1)


class PlainEncoder(FeatureLstm):
    """Stem: vectors made of the items without learning, standardised and projected.

    A subclass gives `plain`. Inputs are the modality's items; with `cached`, the vectors that were made of
    whole clips before, (B, N, F).

    Args:
        told: mean and deviation of each number over the training clips; they are kept in the weights.
    """

    class Config(Encoder.Config):
        """What stands on the vectors."""

        trunk: Literal["none", "lstm"] = "none"
        """Whether an LSTM's states are added to the stem."""
        summary: bool = added(False, before=False)
        """Whether each vector stands beside the clip's mean and deviation, by which clips differ more than by
        single vectors: with few clips, a model does not find these by itself."""
        parts: Annotated[int, at.Ge(0)] = added(0, before=0)
        """In place of the vectors, the means of so many overlapping parts of the clip, as the floor has
        twelve; 0: the vectors. What fuses tokens then reads few of them, however long clips are."""
        cached: bool = added(False, before=False)
        """Make the vectors of whole clips once, keep them in the store and read them. What of a vector
        depends on its neighbours then depends on those beyond the window too."""

    @classmethod
    def plain(cls, config: Any) -> PlainVectors:
        """What is made of the items before anything is learnt."""
        raise NotImplementedError(f"{cls.__name__} defines no plain")

    @classmethod
    def encode_ahead(cls, config: Any, modality: Any, device: torch.device) -> Ahead | None:
        if not config.cached:
            return None
        vectors = cls.plain(config).measured

        def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
            items, times = modality.whole(clip, stored)
            some = items if len(items) else items.new_zeros(1, *items.shape[1:])  # for the vectors' length
            return vectors(some)[: len(items)], times

        return Ahead(encode, {"plain": cls.__name__, **options_of(config)})

    def __init__(self, config: Any, told: FeatureInput, width: int, levels: Set[Level]) -> None:
        longest = told.longest if config.trunk == "lstm" else 1
        super().__init__(config, replace(told, longest=longest), width, levels)
        self.vectors = self.plain(config)

    def stem(self, inputs: Tokens) -> Tokens:
        if not self.config.cached:
            real = inputs.mask.view(*inputs.mask.shape, *(1 for _ in inputs.values.shape[2:]))
            inputs = inputs.replace_values(self.vectors.measured(inputs.values.masked_fill(~real, 0)))
        return super().stem(self.vectors.of(inputs))
