"""Steps of the optimiser from several batches are those of larger batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from tiny_training import CLASSES, WIDTH, tiny_batch, tiny_model
from torch import nn

from mmvideo.components import ObjectiveChoice
from mmvideo.config import TrainConfig
from mmvideo.objectives import Setting
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Progress, fit
from mmvideo.types import Batch, Tokens

MODALITIES = ("visual", "audio")


class Data:
    """24 clips an epoch, in batches of the given sizes."""

    def __init__(self, *sizes: int) -> None:
        self.sizes, self.batches_per_epoch = sizes, len(sizes)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        clips, first = tiny_batch(MODALITIES, 24, epoch), 0
        for size in self.sizes:
            rows = slice(first, first := first + size)
            inputs = {m: Tokens(t.values[rows], t.mask[rows], t.time[rows]) for m, t in clips.inputs.items()}
            yield Batch(clips.ids[rows], inputs, clips.labels[rows])

    def val_batches(self) -> Iterator[Batch]:
        yield tiny_batch(MODALITIES, 10, 99)


def train(
    folder: Path, data: Any, name: str, **config: Any
) -> tuple[nn.Module, Progress, list[dict[str, Any]]]:
    torch.manual_seed(0)
    objective = ObjectiveChoice.of(name).build(Setting(MODALITIES, WIDTH, CLASSES, class_counts=(9, 6, 2)))
    model, records = tiny_model(MODALITIES), list[dict[str, Any]]()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # draws differ by batch
    folder.mkdir()
    progress = fit(
        model,
        objective,
        data,
        TrainConfig(**{"epochs": 3, "learning_rate": 0.01, "select": "last"} | config),
        seed=4,
        fabric=Fabric(accelerator="cpu", devices=1),
        checkpoints=Checkpoints(folder),
        log=records.append,
    )
    return model, progress, records


@pytest.mark.parametrize("sizes", [(8, 8, 8), (10, 10, 4), (4, 12, 8)])
def test_they_are_the_same(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    whole, once, expected = train(tmp_path / "whole", Data(24), "cross_entropy")
    parts, found, records = train(tmp_path / "parts", Data(*sizes), "cross_entropy", accumulate=3)
    assert (found.step, found.epoch) == (once.step, once.epoch) == (3, 3)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], value, rtol=0, atol=1e-6, msg=key)
    for one, other in zip(records, expected, strict=True):
        for key in ("loss", "accuracy", "step", "learning_rate"):
            assert one.get(key) == pytest.approx(other.get(key), abs=1e-5), key


def test_what_is_left_of_an_epoch_is_a_step(tmp_path: Path) -> None:
    _, progress, records = train(tmp_path / "run", Data(6, 6, 6, 4, 2), "cross_entropy", accumulate=2)
    assert progress.step == 3 * 3
    assert records[-2]["learning_rate"] == pytest.approx(0.01 / 3), "the schedule ends with the last step"
    _, progress, _ = train(
        tmp_path / "more", Data(6, 6, 6, 4, 2), "cross_entropy", accumulate=2, least_steps=10
    )
    assert (progress.epoch, progress.step) == (4, 12)


@pytest.mark.parametrize("name", ["mmpareto", "ogm"])
def test_objectives_that_change_gradients_see_those_of_one_batch(name: str, tmp_path: Path) -> None:
    """With a batch that comes twice, the mean gradient is that of the batch."""

    class Twice(Data):
        def __init__(self) -> None:
            super().__init__(24)
            self.batches_per_epoch = 2

        def train_batches(self, epoch: int) -> Iterator[Batch]:
            for batch in super().train_batches(epoch):
                yield from (batch, batch)

    once, _, _ = train(tmp_path / "once", Data(24), name)
    twice, _, _ = train(tmp_path / "twice", Twice(), name, accumulate=2)
    for key, value in once.state_dict().items():
        torch.testing.assert_close(twice.state_dict()[key], value, rtol=0, atol=1e-6, msg=key)
