"""From a run's configuration to the encoders of its modalities."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from torch import nn

from mmvideo.config import RunConfig
from mmvideo.registry import ENCODERS, build
from mmvideo.words import Level, Modality


def build_encoders(config: RunConfig, levels: Set[Level], vocabulary_size: int) -> nn.ModuleDict:
    """One encoder per configured modality, each giving just the `levels` that the fusion reads."""
    inputs: dict[Modality, dict[str, Any]] = {
        "visual": {"normalization": config.data.normalization},
        "audio": {"sample_rate": config.data.sample_rate, "hop": config.data.hop},
        "text": {"vocabulary_size": vocabulary_size},
    }
    encoders = nn.ModuleDict()
    for modality in config.modalities:
        part = getattr(config, modality)
        given = {"config": part, "width": config.width, "levels": levels, **inputs[modality]}
        encoders[modality] = build(ENCODERS[modality], f"{modality} encoder", part.name, {}, **given)
    return encoders
