"""From a run's configuration to the encoders of its modalities."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from torch import nn

from mmvideo.components import ENCODERS, build, resolve
from mmvideo.config import RunConfig
from mmvideo.types import FeatureInput
from mmvideo.vocabulary import Level, Modality


def feature_modalities(config: RunConfig) -> tuple[Modality, ...]:
    """The modalities whose encoder reads precomputed features.

    Raises:
        InputError: an encoder's name is unknown.
    """
    names = {m: getattr(config, m).name for m in config.modalities}
    classes = {m: resolve(ENCODERS[m], f"{m} encoder", name) for m, name in names.items()}
    return tuple(m for m, cls in classes.items() if getattr(cls, "reads_features", False))


def build_encoders(
    config: RunConfig, levels: Set[Level], vocabulary_size: int, features: Mapping[Modality, FeatureInput]
) -> nn.ModuleDict:
    """One encoder per configured modality, each giving just the `levels` that the fusion reads."""
    inputs: dict[Modality, dict[str, Any]] = {
        "visual": {"normalization": config.data.normalization},
        "audio": {"sample_rate": config.data.sample_rate, "hop": config.data.hop},
        "text": {"vocabulary_size": vocabulary_size},
    }
    encoders = nn.ModuleDict()
    inputs |= {modality: {"features": features[modality]} for modality in feature_modalities(config)}
    for modality in config.modalities:
        part = getattr(config, modality)
        given = {"config": part, "width": config.width, "levels": levels, **inputs[modality]}
        encoders[modality] = build(ENCODERS[modality], f"{modality} encoder", part.name, {}, **given)
    return encoders
