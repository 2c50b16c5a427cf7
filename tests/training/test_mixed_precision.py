"""Mixed precision, on the CPU: all stays finite, and an interrupted training ends as an undisturbed one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from small_models import (
    CLASSES,
    MEDIA,
    MODELS,
    REGISTERED_ENCODERS,
    WIDTH,
    encoder_classes,
    small_batch,
    small_model,
)
from torch import nn
from torch.amp import GradScaler

from mmvideo.components import FUSIONS, OBJECTIVES, ObjectiveChoice
from mmvideo.config import TrainConfig
from mmvideo.encoders.audio import LogMel
from mmvideo.layers.pooling import SegmentPool
from mmvideo.objectives import Setting
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import fit
from mmvideo.types import Batch, Tokens

Records = list[dict[str, Any]]


def finite(model: nn.Module) -> bool:
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def in_bfloat16(fusion: str, **changes: Any) -> nn.Module:
    """Forward and backward; outputs are finite and near those in 32 bits."""
    model, batch = small_model(fusion, **changes).eval(), small_batch(features=changes.get("features", False))
    with torch.no_grad():
        exact = model(batch).logits
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch).logits
    torch.testing.assert_close(logits.float(), exact, rtol=0.1, atol=0.05)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(batch).logits.float().square().mean()
    loss.backward()
    assert finite(model), fusion
    return model


def test_every_fusion_and_encoder_is_finite_and_close() -> None:
    models = [in_bfloat16(name, features=features) for name, features in MODELS]
    assert {name for name, _ in MODELS} == set(FUSIONS)
    assert set().union(*(encoder_classes(model) for model in models)) == REGISTERED_ENCODERS


@pytest.mark.parametrize("pool", ["mean", "segments"])
def test_other_pools_are_finite_and_close(pool: str) -> None:
    in_bfloat16("late", pool=pool)


def test_a_loud_clip_is_not_beyond_16_bits() -> None:
    hops, mask = torch.ones(1, 50, 160), torch.ones(1, 50, dtype=torch.bool)
    mel = LogMel(16000, 160, 16)
    with torch.autocast("cpu", torch.float16):
        assert torch.equal(mel(100 * hops, mask), mel(100 * hops, mask).float())
        assert mel(100 * hops, mask).isfinite().all()


def test_long_sequences_are_counted_in_32_bits() -> None:
    """In bfloat16, 600 tokens would count as 256, and where a token stands would be far off."""
    tokens = Tokens(torch.eye(4).repeat(1, 150, 1), torch.ones(1, 600, dtype=torch.bool), torch.zeros(1, 600))
    pool, halved = SegmentPool(4), tokens.replace_values(tokens.values.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        pooled, weights = pool(halved)
    assert weights.sum().item() == pytest.approx(1, rel=1e-3)
    torch.testing.assert_close(pooled.float(), pool(tokens)[0], rtol=0.02, atol=0.02)


class Interrupted(Exception):
    pass


class Data:
    batches_per_epoch = 2

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        return (small_batch(features=True, seed=10 * epoch + n) for n in range(2))

    def val_batches(self) -> Iterator[Batch]:
        return (small_batch(features=True, seed=seed) for seed in (7, 8))


def train(
    folder: Path, objective: str, precision: MixedPrecision, log: Callable[[dict[str, Any]], None]
) -> nn.Module:
    folder.mkdir(exist_ok=True)
    model = small_model("gated", features=True)
    setting = Setting(MEDIA, WIDTH, CLASSES, class_counts=(3, 2, 1))
    torch.manual_seed(2)
    fit(
        model,
        ObjectiveChoice.of(objective).build(setting),
        Data(),
        TrainConfig(epochs=3, batch_size=4, precision=precision.precision),
        seed=1,
        fabric=Fabric(accelerator="cpu", devices=1, plugins=precision),
        checkpoints=Checkpoints(folder),
        log=log,
    )
    return model


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    objective: str, precision: str, tmp_path: Path
) -> None:
    whole: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []

    def interrupt(record: dict[str, Any]) -> None:
        records.append(record)
        if record["epoch"] == 2:
            raise Interrupted

    undisturbed = train(tmp_path / "whole", objective, MixedPrecision(precision, "cpu"), whole.append)
    with pytest.raises(Interrupted):
        train(tmp_path / "resumed", objective, MixedPrecision(precision, "cpu"), interrupt)
    records.pop()
    resumed = train(tmp_path / "resumed", objective, MixedPrecision(precision, "cpu"), records.append)
    assert _numbers(records) == _numbers(whole)
    assert finite(resumed)
    for name, weight in undisturbed.state_dict().items():
        assert weight.isfinite().all()
        assert torch.equal(resumed.state_dict()[name], weight), name


def _numbers(records: Records) -> list[str]:
    """As text, in which NaN is like NaN."""
    return [str({key: value for key, value in record.items() if "seconds" not in key}) for record in records]


def test_the_scale_of_the_loss_is_resumed(tmp_path: Path) -> None:
    first = MixedPrecision("16-mixed", "cpu", GradScaler("cpu", init_scale=8.0))
    train(tmp_path, "cross_entropy", first, lambda record: None)
    second = MixedPrecision("16-mixed", "cpu")
    train(tmp_path, "cross_entropy", second, lambda record: None)  # which is over, and only reads
    assert second.scaler.get_scale() == first.scaler.get_scale() == 8
