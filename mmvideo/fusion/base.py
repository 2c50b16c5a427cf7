"""The contract every fusion keeps; tests/contracts runs it over the whole registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.fusion.options import check_dropout
from mmvideo.types import Features, FusionOutput
from mmvideo.vocabulary import MODALITIES, Level


class Fusion(nn.Module):
    """Modalities' levels → one vector per clip.

    A subclass names the levels it `reads`; what nobody reads is neither built nor computed. In `cost` it says
    in a few words what a training step is spent on, for reports to explain a costly one. It has a defined,
    finite output for every pattern of present modalities, the empty one included: a missing modality is stood
    in for by a learned vector (`absent`), so that missing is a value and never looks like data.

    Args:
        modalities: which modalities take part, each once, in the order visual, audio, text; any others after
            these.
        width: D of every level and of the output.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"clip"})
    cost: ClassVar[str] = ""

    def __init__(self, modalities: Sequence[str], width: int) -> None:
        super().__init__()
        known = [m for m in MODALITIES if m in modalities]
        own = [m for m in dict.fromkeys(modalities) if m not in MODALITIES]
        assert list(modalities) == known + own != [], modalities
        self.modalities, self.width = tuple(modalities), width
        self.absent = nn.Parameter(torch.randn(len(modalities), width) * 0.02)

    @classmethod
    def levels_read(cls, options: Mapping[str, Any]) -> frozenset[Level]:
        """The levels a fusion with these options reads: `reads`, unless one of its options decides.

        Raises:
            InputError: the option that decides has a value it cannot have.
        """
        return cls.reads

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        """`features` by modality, in any order → pooled (B, D)."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def clips(self, features: Mapping[str, Features]) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
        """The modalities' clip vectors in order, `absent` where there is none; and which are present."""
        vectors = torch.stack([_clip(features[m]) for m in self.modalities], dim=1)
        present = torch.stack([features[m].present for m in self.modalities], dim=1)
        return torch.where(present[..., None], vectors, self.absent), present


def mlp(inputs: int, width: int, dropout: float) -> nn.Sequential:
    """Norm, hidden layer, output of `width`: the same two layers for every strategy that ends in vectors.

    Raises:
        InputError: `dropout` is not from 0 up to 1.
    """
    check_dropout(dropout)
    return nn.Sequential(
        nn.LayerNorm(inputs),
        nn.Linear(inputs, width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(width, width),
    )


def _clip(features: Features) -> Float[Tensor, "B D"]:
    assert features.clip is not None, "the fusion reads clip vectors, but the encoder was built without them"
    return features.clip
