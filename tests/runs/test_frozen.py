"""Cached features of a frozen backbone: the same numbers as from frames, computed once, never stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from planted_runs import small_inputs

from mmvideo.clips.hashing import ContentHashes
from mmvideo.components import FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.collate import collate
from mmvideo.data.run_data import RunData
from mmvideo.encoders.visual import CnnLstm
from mmvideo.modalities.corruptions import Damage
from mmvideo.modalities.visual import Visual
from mmvideo.runs.assembly import encode_ahead, encode_damaged
from mmvideo.runs.execute import execute
from mmvideo.store.encoded import EncodedClips
from mmvideo.store.maintenance import collect_garbage, verify

Configure = Callable[..., RunConfig]
CPU = torch.device("cpu")
CACHED = {"backbone": "tiny", "weights": "w.pt", "frozen": True, "cached": True}


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
    """`backbone(seed)`: what the option `backbone` builds from then on, with weights of that seed."""

    def choose(seed: int) -> None:
        def make(name: str, weights: str | None, *, frozen: bool) -> tuple[torch.nn.Module, int]:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                return Tiny().requires_grad_(not frozen), 7

        monkeypatch.setattr("mmvideo.encoders.visual.torchvision_backbone", make)

    choose(0)
    return choose


def reading(configure: Configure, **encoder: Any) -> RunConfig:
    """Pictures under the frozen backbone, and sound."""
    return configure(
        study="frozen",
        modalities=("visual", "audio"),
        fusion=FusionChoice.of("late"),
        inputs=small_inputs({"visual": CACHED | encoder}, visual={"random_crop": False}),
    )


@pytest.fixture
def config(configure: Configure) -> RunConfig:
    return reading(configure)


def ahead(config: RunConfig) -> tuple[RunData, EncodedClips]:
    """The data as a run reads them, and the features it reads in place of frames."""
    data = RunData.open(config)
    data.source.kept.clear()  # as another process would begin
    encode_ahead(data, CPU)
    visual = data.modalities["visual"]
    assert isinstance(visual, Visual)
    assert visual.encoded is not None
    return data, visual.encoded


def test_a_batch_of_features_is_what_the_frames_give(
    configure: Configure, config: RunConfig, backbone: Callable[[int], None]
) -> None:
    plain, (encoded, _) = RunData.open(reading(configure, cached=False)), ahead(config)
    options = config.inputs["visual"].encoder.options
    encoder = CnnLstm(options, None, 16, frozenset({"stem", "trunk", "clip"})).eval()
    for split, training in (("train", True), ("test", False)):
        sets = [data.dataset(split, training=training) for data in (plain, encoded)]
        batches = [collate([one[i] for i in range(len(one))]).inputs["visual"] for one in sets]
        assert batches[0].values.ndim == 5
        assert batches[1].values.shape == (*batches[0].mask.shape, 7)
        torch.testing.assert_close(batches[0].time, batches[1].time)
        assert torch.equal(batches[0].mask, batches[1].mask)
        from_frames, from_features = encoder(batches[0]), encoder(batches[1])
        torch.testing.assert_close(from_frames.clip, from_features.clip)
        torch.testing.assert_close(from_frames.stem.values, from_features.stem.values)


def test_damaged_frames_are_encoded_anew(
    configure: Configure, config: RunConfig, backbone: Callable[[int], None]
) -> None:
    plain, (encoded, _) = RunData.open(reading(configure, cached=False)), ahead(config)
    options = config.inputs["visual"].encoder.options
    encoder = CnnLstm(options, None, 16, frozenset({"clip"})).eval()
    clean = next(iter(encoded.evaluated("test")))
    for data in (plain, encoded):
        data.modalities["visual"].damage = Damage("gaussian_noise", Visual.corruptions["gaussian_noise"], 4)
        encode_damaged(data, CPU)
    frames, tokens = (next(iter(data.evaluated("test"))).inputs["visual"] for data in (plain, encoded))
    assert (frames.values.ndim, tokens.values.ndim) == (5, 3)
    torch.testing.assert_close(encoder(frames).clip, encoder(tokens).clip)
    assert not torch.allclose(tokens.values, clean.inputs["visual"].values)


def test_they_are_computed_once_and_again_only_for_other_weights(
    configure: Configure, config: RunConfig, backbone: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead(config)
    calls = []
    real = CnnLstm.frame_features
    monkeypatch.setattr(CnnLstm, "frame_features", lambda *given: calls.append(1) or real(*given))
    data, first = ahead(config)
    assert calls == []
    backbone(1)
    _, second = ahead(config)
    shown = [clip.id for clip in data.source.clips if "visual" in data.present(clip)]
    assert len(calls) == len(shown) > 10
    assert (first.read(shown[0])[0] != second.read(shown[0])[0]).any()
    _, other_crop = ahead(reading(configure, picture_size=20))
    assert other_crop.path(shown[0]) != second.path(shown[0])


def test_runs_of_one_process_share_them(config: RunConfig, backbone: Callable[[int], None]) -> None:
    data, features = ahead(config)
    again = RunData.open(config.model_copy(update={"seed": 1}))
    encode_ahead(again, CPU)
    assert again.source is data.source
    assert again.modalities["visual"].encoded is features  # type: ignore[attr-defined]


def test_the_store_takes_care_of_them(config: RunConfig, backbone: Callable[[int], None]) -> None:
    data, features = ahead(config)
    source = data.source
    assert verify(source.store.root).damaged == ()
    hashes = ContentHashes(source.store.root / "hashes.json")
    found = collect_garbage(source.store.root, [source.manifest], hashes)
    assert not {features.path(name) for name in source.keys} & set(found.unneeded)
    assert found.unknown == 0


def test_a_run_trains_on_them_and_the_backbone_stays(
    config: RunConfig, backbone: Callable[[int], None], tmp_path: Path
) -> None:
    assert (execute(config, root=tmp_path) / "result.json").exists()


def test_a_frozen_backbone_is_never_in_training_mode(
    config: RunConfig, backbone: Callable[[int], None]
) -> None:
    encoder = CnnLstm(config.inputs["visual"].encoder.options, None, 16, frozenset({"stem"})).train()
    assert not encoder.cnn.training
    assert encoder.project.training


@pytest.mark.parametrize(("options", "encoder", "message"), [
    ({}, {"frozen": False}, "set frozen too"),
    ({"random_crop": True}, {}, "wrong with random_crop; switch off"),
    ({"flip_probability": 0.5, "rotate_degrees": 5.0}, {}, "flip_probability, rotate_degrees"),
    ({"hue": 0.1}, {}, "wrong with hue"),
    ({"smallest_crop": 0.5}, {}, "wrong with smallest_crop"),
    ({"eval_crops": 3}, {}, "wrong with eval_crops"),
])  # fmt: skip
def test_what_would_make_them_wrong_is_refused(
    options: dict[str, Any], encoder: dict[str, Any], message: str
) -> None:
    cached = {"name": "cnn_lstm", "options": CACHED | {"backbone": "resnet18"}}
    with pytest.raises(ValueError, match=message):
        Input.model_validate(
            {
                "kind": "visual",
                "options": {"random_crop": False} | options,
                "encoder": cached | {"options": cached["options"] | encoder},
            }
        )
    Input.model_validate({"kind": "visual", "options": {"random_crop": False}, "encoder": cached})
