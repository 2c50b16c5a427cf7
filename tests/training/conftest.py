"""A small model with two or three real encoders' interface, and clips some of which lack modalities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from mmvideo.config import TrainConfig
from mmvideo.encoders.base import Encoder
from mmvideo.fusion.late import LateFusion
from mmvideo.model import FusionModel
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Progress, fit
from mmvideo.training.objectives import Objective, Setting
from mmvideo.types import Batch, Tokens
from mmvideo.vocabulary import Level

WIDTH, CLASSES = 8, 3


class TinyEncoder(Encoder):
    """A linear stem, a tanh trunk; items are vectors of 4."""

    def __init__(self, levels: Set[Level] = frozenset({"clip"})) -> None:
        super().__init__(WIDTH, levels, "mean")
        self.read, self.mix = nn.Linear(4, WIDTH), nn.Linear(WIDTH, WIDTH)

    def stem(self, inputs: Tokens) -> Tokens:
        return inputs.replace_values(self.read(inputs.values))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        return stem.replace_values(torch.tanh(self.mix(stem.values)))


def tiny_model(modalities: tuple[str, ...]) -> FusionModel:
    torch.manual_seed(3)
    encoders = nn.ModuleDict({m: TinyEncoder() for m in modalities})
    return FusionModel(encoders, LateFusion(LateFusion.Config(), modalities, WIDTH), CLASSES)


def tiny_batch(modalities: tuple[str, ...], size: int, seed: int, missing: float = 0.25) -> Batch:
    """Clips whose label shows in the first numbers of every modality, more in the first one."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (size,), generator=generator)
    inputs = {}
    for index, modality in enumerate(modalities):
        values = torch.randn(size, 3, 4, generator=generator)
        values[:, :, :CLASSES] += nn.functional.one_hot(labels, CLASSES)[:, None] * (2.0 - 0.7 * index)
        here = torch.rand(size, generator=generator) >= missing
        tokens = Tokens(values, torch.ones(size, 3, dtype=torch.bool), torch.arange(3.0).expand(size, -1))
        inputs[modality] = tokens.keep_rows(here)
    return Batch(tuple(f"clip{seed}.{i}" for i in range(size)), inputs, labels)


class TinyData:
    def __init__(self, modalities: tuple[str, ...]) -> None:
        self.train = [tiny_batch(modalities, 8, seed) for seed in range(4)]
        self.val = [tiny_batch(modalities, 10, seed) for seed in (10, 11)]

    @property
    def steps_per_epoch(self) -> int:
        return len(self.train)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(derive_seed(0, "order", epoch))
        for index in torch.randperm(len(self.train), generator=generator).tolist():
            yield self.train[index]

    def val_batches(self) -> Iterator[Batch]:
        yield from self.val


Fitted = tuple[FusionModel, Progress, list[dict[str, Any]]]


@pytest.fixture
def setting() -> Callable[..., Setting]:
    def make(*modalities: str, **changes: Any) -> Setting:
        given = {"task": "single_label", "class_counts": (10, 6, 2)} | changes
        return Setting(modalities or ("visual", "audio"), WIDTH, CLASSES, **given)

    return make


@pytest.fixture
def batch() -> Callable[..., Batch]:
    return tiny_batch


@pytest.fixture
def model() -> Callable[[tuple[str, ...]], FusionModel]:
    return tiny_model


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., Fitted]:
    """`fitted(objective, stop=…)`: train the tiny model; `stop` is called with every record."""

    def train(
        objective: Objective,
        folder: str = "run",
        stop: Callable[[dict[str, Any]], None] = lambda record: None,
        **config: Any,
    ) -> Fitted:
        records: list[dict[str, Any]] = []
        net = tiny_model(objective.setting.modalities)
        (tmp_path / folder).mkdir(exist_ok=True)

        def log(record: dict[str, Any]) -> None:
            records.append({key: value for key, value in record.items() if key != "seconds"})
            stop(record)

        progress = fit(
            net,
            objective,
            TinyData(objective.setting.modalities),
            TrainConfig(**{"epochs": 4, "learning_rate": 0.02} | config),
            seed=5,
            fabric=Fabric(accelerator="cpu", devices=1),
            checkpoints=Checkpoints(tmp_path / folder),
            log=log,
        )
        return net, progress, records

    return train
