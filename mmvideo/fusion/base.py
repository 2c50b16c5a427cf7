"""The contract every fusion keeps; tests/contracts runs it over the whole registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.schema import NotNegative, Part, added
from mmvideo.types import Features, FusionOutput
from mmvideo.vocabulary import Level


class Fusion(nn.Module):
    """Modalities' levels → one vector per clip.

    A subclass names the levels it `reads`; what nobody reads is neither built nor computed. In `cost` it says
    in a few words what a training step is spent on, for reports to explain a costly one. It has a defined,
    finite output for every pattern of present modalities, the empty one included: a missing modality is stood
    in for by a learned vector (`absent`), so that missing is a value and never looks like data.

    Its options are the fields of its own `Config`; a subclass that has any derives one from its base's.

    Args:
        modalities: which modalities take part, each once, under any names; their order is that of weights and
            diagnostics.
        width: D of every level and of the output.
    """

    reads: ClassVar[frozenset[Level]] = frozenset({"clip"})
    cost: ClassVar[str] = ""

    class Config(Part):
        """What a configuration may choose of a fusion."""

        absent_std: NotNegative = added(1.0, before=0.02)
        """Standard deviation from which the vectors for missing modalities start. 1 is the scale of clip
        vectors; from a small one it takes many steps until a model knows that something is missing."""

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__()
        assert 0 < len(modalities) == len(set(modalities)), modalities
        self.config = config
        self.modalities, self.width = tuple(modalities), width
        self.absent = nn.Parameter(torch.randn(len(modalities), width) * config.absent_std)

    @classmethod
    def levels_read(cls, config: Config) -> frozenset[Level]:
        """The levels a fusion with these options reads: `reads`, unless one of its options decides."""
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
    """Norm, hidden layer, output of `width`: the same two layers for every strategy that ends in vectors."""
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
