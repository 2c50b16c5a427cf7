"""A tiny planted data set, decoded once, and configurations that train on it in a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmvideo.config import (
    AudioConfig,
    DataConfig,
    NamedConfig,
    RunConfig,
    RuntimeConfig,
    TextConfig,
    TrackingConfig,
    TrainConfig,
    VisualConfig,
)
from mmvideo.data.planted import PlantedSpec, generate
from mmvideo.runs.execute import execute

Configure = Callable[..., RunConfig]

SMALL: dict[str, Any] = {
    "width": 16,
    "visual": VisualConfig(channels=(4, 8)),
    "audio": AudioConfig(mel_bins=16, channels=(4, 8), trunk_layers=1),
    "text": TextConfig(layers=1, heads=2, hidden=16),
    "train": TrainConfig(epochs=2, batch_size=16),
    "runtime": RuntimeConfig(device="cpu"),
    "tracking": TrackingConfig(wandb=False),
}
TEXT_ALONE: dict[str, Any] = {"modalities": ("text",), "fusion": NamedConfig(name="single")}


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a `mixed` data set: 48, 16 and 16 clips, in some of which a track is missing."""
    spec = PlantedSpec(task="mixed", train=48, val=16, test=16)
    return generate(spec, tmp_path_factory.mktemp("planted"), workers=1)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def data_config(planted: Path, store: Path) -> DataConfig:
    return DataConfig(manifest=str(planted), store=str(store), frame_size=32, crop_size=28)


@pytest.fixture(scope="session")
def configure(data_config: DataConfig) -> Configure:
    """`configure(seed=1, …)`: a small run on the planted data; `text_alone=True`, the quickest kind."""

    def make(*, text_alone: bool = False, **changes: Any) -> RunConfig:
        return RunConfig(**({"data": data_config} | SMALL | (TEXT_ALONE if text_alone else {}) | changes))

    return make


@pytest.fixture(scope="session")
def finished(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all modalities with the default fusion."""
    return execute(configure(study="demo", arm="all"), root=tmp_path_factory.mktemp("runs"))
