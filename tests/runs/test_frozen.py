"""Cached features of a frozen backbone: the same numbers as from frames, computed once, never stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmvideo.clips.hashing import ContentHashes
from mmvideo.config import DataConfig, NamedConfig, RunConfig, VisualConfig
from mmvideo.data.collate import collate
from mmvideo.data.run_data import Data, open_data
from mmvideo.encoders.visual import CnnLstm
from mmvideo.runs import frozen
from mmvideo.runs.execute import execute
from mmvideo.store.maintenance import collect_garbage, verify

Configure = Callable[..., RunConfig]


class Tiny(torch.nn.Sequential):
    """A backbone of 7 features with dropout, which must not act."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Conv2d(3, 7, 5, 4),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.5),
        )


@pytest.fixture
def backbone(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`backbone(seed)`: what `visual.backbone` builds from then on, with weights of that seed."""

    def choose(seed: int) -> None:
        def make(name: str, weights: str | None, *, frozen: bool) -> tuple[torch.nn.Module, int]:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                return Tiny().requires_grad_(not frozen), 7

        monkeypatch.setattr("mmvideo.encoders.visual.torchvision_backbone", make)

    choose(0)
    return choose


@pytest.fixture
def config(configure: Configure, data_config: DataConfig) -> RunConfig:
    return configure(
        study="frozen",
        modalities=("visual", "audio"),
        fusion=NamedConfig(name="late"),
        data=data_config.model_copy(update={"random_crop": False}),
        visual=VisualConfig(backbone="tiny", weights="w.pt", frozen=True, cached=True),
    )


@pytest.fixture
def data(config: RunConfig) -> Data:
    return open_data(config.data)


def test_a_batch_of_features_is_what_the_frames_give(
    config: RunConfig, data: Data, backbone: Callable[[int], None]
) -> None:
    plain = config.model_copy(update={"visual": config.visual.model_copy(update={"cached": False})})
    encoder = CnnLstm(config.visual, 16, frozenset({"stem", "trunk", "clip"}), "symmetric").eval()
    for split, training in (("train", True), ("test", False)):
        sets = [data.dataset(split, c, None, training=training) for c in (plain, config)]
        batches = [collate([one[i] for i in range(len(one))]).inputs["visual"] for one in sets]
        assert batches[0].values.ndim == 5
        assert batches[1].values.shape == (*batches[0].mask.shape, 7)
        torch.testing.assert_close(batches[0].time, batches[1].time)
        assert torch.equal(batches[0].mask, batches[1].mask)
        from_frames, from_features = encoder(batches[0]), encoder(batches[1])
        torch.testing.assert_close(from_frames.clip, from_features.clip)
        torch.testing.assert_close(from_frames.stem.values, from_features.stem.values)


def test_they_are_computed_once_and_again_only_for_other_weights(
    config: RunConfig, data: Data, backbone: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen.frozen_features(config, data.store, data.keys)
    calls = []
    real = CnnLstm.frame_features
    monkeypatch.setattr(CnnLstm, "frame_features", lambda *given: calls.append(1) or real(*given))
    first = frozen.frozen_features(config, data.store, data.keys)
    assert calls == []
    backbone(1)
    second = frozen.frozen_features(config, data.store, data.keys)
    shown = [name for name, had in data.present.items() if "visual" in had]
    assert len(calls) == len(shown) > 10
    assert (first.read(shown[0]) != second.read(shown[0])).any()
    other_crop = config.model_copy(update={"data": config.data.model_copy(update={"crop_size": 20})})
    assert frozen.frozen_features(other_crop, data.store, data.keys).path(shown[0]) != second.path(shown[0])


def test_the_store_takes_care_of_them(config: RunConfig, data: Data, backbone: Callable[[int], None]) -> None:
    features = frozen.frozen_features(config, data.store, data.keys)
    assert verify(data.store.root).damaged == ()
    found = collect_garbage(data.store.root, [data.manifest], ContentHashes(data.store.root / "hashes.json"))
    assert not {features.path(name) for name in data.keys} & set(found.unneeded)
    assert found.unknown == 0


def test_a_run_trains_on_them_and_the_backbone_stays(
    config: RunConfig, backbone: Callable[[int], None], tmp_path: Path
) -> None:
    assert (execute(config, root=tmp_path) / "result.json").exists()


def test_a_frozen_backbone_is_never_in_training_mode(
    config: RunConfig, backbone: Callable[[int], None]
) -> None:
    encoder = CnnLstm(config.visual, 16, frozenset({"stem"}), "symmetric").train()
    assert not encoder.cnn.training
    assert encoder.project.training


@pytest.mark.parametrize(("data", "visual", "message"), [
    ({}, {"frozen": False}, "set visual.frozen too"),
    ({"random_crop": True}, {}, "wrong with data.random_crop; switch it off"),
    ({"flip_probability": 0.5, "rotate_degrees": 5.0}, {}, "data.rotate_degrees; switch them off"),
    ({"augment": {"hue": 0.1}}, {}, "data.augment.hue"),
    ({"augment": {"smallest_crop": 0.5}}, {}, "data.augment.smallest_crop"),
    ({"eval_crops": 3}, {}, "data.eval_crops"),
])  # fmt: skip
def test_what_would_make_them_wrong_is_refused(
    data: dict[str, Any], visual: dict[str, Any], message: str
) -> None:
    cached = {"backbone": "resnet18", "weights": "DEFAULT", "frozen": True, "cached": True}
    with pytest.raises(ValueError, match=message):
        RunConfig.model_validate({"data": {"random_crop": False} | data, "visual": cached | visual})
    RunConfig.model_validate({"data": {"random_crop": False, "augment": {"gain_db": 3.0}}, "visual": cached})
