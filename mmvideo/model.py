"""The whole model: encoders, then a fusion, then a linear head."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from mmvideo.config import RunConfig
from mmvideo.encoders.build import build_encoders
from mmvideo.fusion.base import Fusion
from mmvideo.registry import FUSIONS, build, resolve
from mmvideo.types import Batch
from mmvideo.words import InputError


class Prediction(NamedTuple):
    """Logits (B, C), and what may be looked at but not trained on."""

    logits: Float[Tensor, "B C"]
    diagnostics: dict[str, Tensor]


class FusionModel(nn.Module):
    """Encoders → fusion → head. Swapping the fusion swaps nothing else."""

    def __init__(self, encoders: nn.ModuleDict, fusion: Fusion, classes: int) -> None:
        super().__init__()
        self.encoders, self.fusion = encoders, fusion
        self.head = nn.Linear(fusion.width, classes)

    def forward(self, batch: Batch) -> Prediction:
        features = {name: encoder(batch.inputs[name]) for name, encoder in self.encoders.items()}
        fused = self.fusion(features)
        weights = {
            f"{name}_weights": f.weights.detach() for name, f in features.items() if f.weights is not None
        }
        return Prediction(self.head(fused.pooled), {**weights, **fused.diagnostics})


def build_model(config: RunConfig, classes: int, vocabulary_size: int) -> FusionModel:
    """The model a configuration describes. Initial weights come from torch's global generator: seed it first.

    Raises:
        InputError: an unknown name or option anywhere in the configuration.
    """
    cls = resolve(FUSIONS, "fusion", config.fusion.name)
    if not (isinstance(cls, type) and issubclass(cls, Fusion)):
        raise InputError(f"fusion '{config.fusion.name}' is not a subclass of mmvideo.fusion.Fusion")
    encoders = build_encoders(config, cls.reads, vocabulary_size)
    given = {"modalities": config.modalities, "width": config.width}
    fusion = build(FUSIONS, "fusion", config.fusion.name, config.fusion.options, **given)
    return FusionModel(encoders, fusion, classes)
