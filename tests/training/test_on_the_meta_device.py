"""Training, validation, resuming and costs with everything on one device and nothing left on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from meta_device import MetaDevice, MetaFabric
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
from tiny_pretrained import picture_folder
from torch import nn

from mmvideo.components import FUSIONS, OBJECTIVES, EncoderChoice, ObjectiveChoice
from mmvideo.config import TrainConfig
from mmvideo.objectives import Objective, Setting
from mmvideo.runs.costs import flops_per_clip, latency_ms, step_ms
from mmvideo.training import loop
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.encoded import EncodedData, encode_split
from mmvideo.types import Batch, EncodedBatch

META = torch.device("meta")
pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")


class Data:
    """A few small batches a split."""

    def __init__(self, count: int = 2, *, features: bool = False) -> None:
        self.batches_per_epoch, self.features = count, features

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        return self.val_batches()

    def val_batches(self) -> Iterator[Batch]:
        return (small_batch(features=self.features, seed=seed) for seed in range(self.batches_per_epoch))


def fit(
    folder: Path, model: nn.Module, objective: Objective, data: Any, **config: Any
) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    loop.fit(
        model.to(META),
        objective,
        data,
        TrainConfig(**{"epochs": 2, "batch_size": 4} | config),
        seed=1,
        fabric=MetaFabric(),
        checkpoints=Checkpoints(folder),
        log=records.append,
    )
    return records


def objective(name: str) -> Objective:
    built: Objective = ObjectiveChoice.of(name).build(Setting(MEDIA, WIDTH, CLASSES, class_counts=(5, 2, 1)))
    return built


def backward(model: nn.Module, batch: Batch) -> None:
    loss = model(batch).logits.square().mean()
    assert loss.device == META
    loss.backward()
    assert all(p.grad is None or p.grad.device == META for p in model.parameters())
    assert any(p.grad is not None for p in model.parameters())


def test_every_fusion_and_encoder_keeps_to_the_device() -> None:
    fusions, encoders = set(), set()
    for name, features in MODELS:
        model = small_model(name, features=features).to(META)
        with MetaDevice() as device:
            backward(model, small_batch(features=features).to(META))
            assert device.operations > 50
            assert device.reads == 0, f"{name} waits for the device"
        fusions.add(name)
        encoders |= encoder_classes(model)
    assert fusions == set(FUSIONS)
    assert encoders == REGISTERED_ENCODERS


def test_a_pretrained_model_of_frames_keeps_to_the_device(tmp_path: Path) -> None:
    options = {"model": str(picture_folder("clip", tmp_path)), "frozen": False}
    encoder = EncoderChoice.of("frame_model", **options).build(None, WIDTH, frozenset({"clip"})).to(META)
    with MetaDevice() as device:
        clip = encoder(small_batch().inputs["visual"].to(META)).clip
        clip.square().mean().backward()
        assert device.operations > 50
        assert device.reads == 0


@pytest.mark.parametrize("pool", ["mean", "segments"])
def test_other_pools_keep_to_the_device(pool: str) -> None:
    with MetaDevice():
        backward(small_model(pool=pool).to(META), small_batch().to(META))


def test_a_tensor_that_stays_behind_is_found() -> None:
    """The mode catches a constant that is no buffer, which `.to` does not move."""

    class Stray(nn.Linear):
        def __init__(self) -> None:
            super().__init__(WIDTH, WIDTH)
            self.scale = torch.ones(WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * self.scale

    with MetaDevice(), pytest.raises(AssertionError, match="a tensor on the CPU among the device's"):
        Stray().to(META)(torch.zeros(2, WIDTH, device=META))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_and_resumes_there(name: str, tmp_path: Path) -> None:
    with MetaDevice():
        for epochs in (1, 2):  # the second time, from the checkpoint
            trained, model = objective(name), small_model("late", features=True)
            records = fit(tmp_path, model, trained, Data(1, features=True), epochs=epochs)
            assert [r["epoch"] for r in records] == [epochs] * 2
            assert trained.state_dict().keys() == objective(name).state_dict().keys()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_objective_waits_for_the_device_in_a_step(name: str) -> None:
    trained = objective(name).to(META)
    model = small_model("late", features=True, further=trained.reads).to(META)
    session: Any = SimpleNamespace(model=model, backward=lambda loss, **given: loss.backward(**given))
    with MetaDevice() as device:
        batch = small_batch(features=True).to(META)
        prediction = model(batch, trained.subsets)
        trained.backward(trained(prediction, batch), prediction, batch, session)
        assert device.operations > 50
        assert device.reads == 0


def test_a_step_waits_for_the_device_only_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOOK_EVERY", 4)
    looks: list[int] = []
    check = loop._Steps.check
    monkeypatch.setattr(
        loop._Steps, "check", lambda self, *a: (looks.append(len(self.losses)), check(self, *a))
    )
    with MetaDevice():
        fit(tmp_path, small_model(), objective("cross_entropy"), Data(5), epochs=1)
    assert looks == [4, 5]


def test_encoded_clips_and_modality_dropout_keep_to_the_device(tmp_path: Path) -> None:
    with MetaDevice():
        model = small_model("mult").to(META)  # reads tokens alone
        model.encoders.requires_grad_(False)  # parts without gradients have norms too
        split = encode_split(model, Data().val_batches(), META)
        assert {tokens.mask.device.type for tokens in split.inputs.values()} == {"cpu"}
        data = EncodedData(split, split, batch_size=4, seed=0)
        assert isinstance(next(iter(data.val_batches())), EncodedBatch)
        half = dict.fromkeys(MEDIA, 0.5)
        records = fit(tmp_path, model, objective("cross_entropy"), data, epochs=1, modality_dropout=half)
        assert records[0]["gradient_norm_visual"] is not None


@pytest.mark.parametrize("encoded", [False, True])
def test_taking_modalities_away_keeps_to_the_device(encoded: bool) -> None:
    with MetaDevice():
        batch = small_batch().to(META)
        if encoded:
            features = small_model("hierarchical").to(META).encode(batch)
            batch = EncodedBatch(batch.ids, batch.inputs, batch.labels, features)
        left = batch.only({"text"})
        backward(small_model("hierarchical").to(META), left)


def test_costs_are_measured_there() -> None:
    with MetaDevice():
        model, batch = small_model("early").to(META), small_batch().to(META)
        assert flops_per_clip(model, batch) > 1000
        assert latency_ms(model, batch) > 0
        assert step_ms(model, batch, MetaFabric()) > 0  # type: ignore[arg-type]


def test_moved_clips_know_their_lengths_without_waiting() -> None:
    batch = small_batch()
    keep = torch.tensor([[True, False, True]] * 4)
    with MetaDevice() as device:
        moved = batch.to(META)
        for m, tokens in moved.inputs.items():
            for found, known in zip(
                tokens.on_cpu(), (batch.inputs[m].mask, batch.inputs[m].time), strict=True
            ):
                assert torch.equal(found, known)
        left = moved.keep(keep).inputs["audio"]
        assert left.mask.device == META
        assert not left.on_cpu()[0].any()
        assert device.reads == 0
        assert moved.keep(keep.to(META)).inputs["audio"].host is None  # only the device knows
        assert moved.inputs["audio"].to("cpu").host is None
