"""The whole model: encoders, then a fusion, then a linear head."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmvideo.config import RunConfig
from mmvideo.encoders.base import Encoder
from mmvideo.fusion.base import Fusion
from mmvideo.fusion.resized import Resized
from mmvideo.types import Batch, EncodedBatch, Features, Prediction
from mmvideo.vocabulary import Level


class FusionModel(nn.Module):
    """Encoders → fusion → head. Swapping the fusion swaps nothing else.

    A clip without any modality gets `prior`, whatever the fusion makes of it: outputs that know nothing but
    the training split's labels (see mmvideo.evaluation.tasks). It is saved with the weights.
    """

    prior: Tensor

    def __init__(
        self, encoders: nn.ModuleDict, fusion: Fusion, classes: int, extra: Set[Level] = frozenset()
    ) -> None:
        super().__init__()
        self.encoders, self.fusion, self.extra = encoders, fusion, extra
        self.head = nn.Linear(fusion.width, classes)
        self.register_buffer("prior", torch.zeros(classes))

    def forward(self, batch: Batch, subsets: Sequence[Collection[str]] = ()) -> Prediction:
        """Logits for every clip.

        Args:
            subsets: sets of modalities; the fusion also reads the clips with only these present. The encoders
                run once for all, since none sees another's modality.
        """
        features = batch.features if isinstance(batch, EncodedBatch) else self.encode(batch)
        logits, diagnostics = self._fuse(features)
        clips = {name: f.clip for name, f in features.items() if f.clip is not None}
        restricted = (
            {m: f if m in subset else f.absent() for m, f in features.items()} for subset in subsets
        )
        # 2^M sets would be as many versions to compile; those that training reads are worth it
        with nullcontext() if self.training else torch.compiler.set_stance("force_eager"):
            alternatives = tuple(self._fuse(part)[0] for part in restricted)
        return Prediction(logits, diagnostics, clips, alternatives)

    def encode(self, batch: Batch) -> dict[str, Features]:
        """Each modality's levels."""
        return {name: encoder(batch.inputs[name]) for name, encoder in self.encoders.items()}

    def deploy(self) -> None:
        """Compute no more than the fusion reads: what an objective alone read is for training only."""
        for encoder in self.encoders.values():
            assert isinstance(encoder, Encoder)
            encoder.levels -= self.extra

    def _fuse(self, features: Mapping[str, Features]) -> tuple[Float[Tensor, "B C"], dict[str, Tensor]]:
        fused = self.fusion(features)
        something = torch.stack([f.present for f in features.values()]).any(dim=0)
        return torch.where(something[:, None], self.head(fused.pooled), self.prior), fused.diagnostics


def build_model(
    config: RunConfig,
    outputs: int,
    told: Mapping[str, Any] = MappingProxyType({}),
    further: Set[Level] = frozenset(),
) -> FusionModel:
    """The model a configuration describes. Initial weights come from torch's global generator: seed it first.

    Args:
        outputs: C, numbers that the head gives for a clip.
        told: by modality, what its encoder is told of the data (`Modality.told`); nothing where it needs
        nothing.
        further: levels to build beside those the fusion reads, for an objective (see `deploy`).

    Raises:
        InputError: options that no component can be built with.
    """
    levels = levels_read(config)
    encoders = nn.ModuleDict(
        {
            name: given.encoder.build(told.get(name), config.width, levels | further)
            for name, given in config.active.items()
        }
    )
    return FusionModel(encoders, build_fusion(config), outputs, extra=further - levels)


def levels_read(config: RunConfig) -> frozenset[Level]:
    """The levels of the encoders that the configured fusion reads."""
    fusion: type[Fusion] = config.fusion.component
    options = config.fusion.options
    assert isinstance(options, Fusion.Config)
    return fusion.levels_read(options)


def build_fusion(config: RunConfig) -> Fusion:
    """The configured fusion, between encoders of `width` and a head that reads the fusion's own width."""
    width = config.fusion_width or config.width
    fusion: Fusion = config.fusion.build(config.modalities, width)
    return fusion if width == config.width else Resized(fusion, config.width)
