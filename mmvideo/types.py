"""The values that flow through the model. In every mask, `True` means real.

Shape letters: B batch, N tokens of one modality, D width, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mmvideo.words import MODALITIES


@dataclass(frozen=True)
class Tokens:
    """A masked sequence per clip. Masks are prefixes: what is real comes first, padding after.

    As a model's input, an item is a frame (uint8, 3×H×W), 10 ms of waveform (float, samples) or a word
    piece (int64, no further dimension). Inside the model an item is a vector of width D.
    """

    values: Tensor  # (B, N, ...)
    mask: Bool[Tensor, "B N"]
    time: Float[Tensor, "B N"]  # seconds from the clip's start: centre of what the item covers

    def to(self, device: torch.device | str) -> Tokens:
        return Tokens(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def replace_values(self, values: Tensor) -> Tokens:
        return Tokens(values, self.mask, self.time)


@dataclass(frozen=True)
class Features:
    """One modality's levels. A level that no fusion reads is None: it was neither built nor computed."""

    present: Bool[Tensor, " B"]
    stem: Tokens | None = None
    trunk: Tokens | None = None
    clip: Float[Tensor, "B D"] | None = None
    weights: Float[Tensor, "B N"] | None = None  # how much each trunk token counted in `clip`


class Batch:
    """What collate makes and a model eats. Every configured modality is in `inputs`, absent ones all masked.

    Not a dataclass: Fabric walks into those and would cast times to half precision.
    """

    def __init__(self, ids: tuple[str, ...], inputs: Mapping[str, Tokens], labels: Int[Tensor, " B"]) -> None:
        self.ids, self.inputs, self.labels = ids, inputs, labels

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(m for m in MODALITIES if m in self.inputs)

    @property
    def present(self) -> Bool[Tensor, "B M"]:
        """Which modalities each clip has, in the order of `modalities`."""
        return torch.stack([self.inputs[m].mask.any(dim=1) for m in self.modalities], dim=1)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Batch:
        moved = {name: tokens.to(device) for name, tokens in self.inputs.items()}
        return Batch(self.ids, moved, self.labels.to(device, non_blocking=True))


@dataclass(frozen=True)
class FusionOutput:
    """What every fusion returns. `diagnostics` are logged and never trained on."""

    pooled: Float[Tensor, "B D"]
    diagnostics: dict[str, Tensor] = field(default_factory=dict)
