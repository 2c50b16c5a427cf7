"""The configuration: strict, and with a signature that changes with the numbers and with nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmvideo.config import (
    AudioConfig,
    DataConfig,
    NamedConfig,
    PadTo,
    RunConfig,
    RuntimeConfig,
    TextConfig,
    TrackingConfig,
    TrainConfig,
    VisualConfig,
    load_config,
)
from mmvideo.errors import InputError
from mmvideo.runs.identity import signature

CONFIG = RunConfig()
PAIR: Any = ("visual", "audio")


def load(**changes: Any) -> RunConfig:
    return load_config(json.dumps(changes), "my.json")


class TestReading:
    @pytest.mark.parametrize("config", [
        CONFIG,
        RunConfig(modalities=PAIR, fusion=NamedConfig(name="late", options={"dropout": 0.5}), seed=3),
        RunConfig(data=DataConfig(metadata_fields=("title", "tags")), visual=VisualConfig(channels=(8, 16))),
    ])  # fmt: skip
    def test_written_and_read_it_is_the_same(self, config: RunConfig) -> None:
        assert load_config(config.model_dump_json(indent=2), "config.json") == config

    @pytest.mark.parametrize(("changes", "message"), [
        ({"widht": 64}, "my.json is not a valid run configuration: widht: Extra inputs are not permitted"),
        ({"train": {"epoch": 3}}, "train.epoch: Extra inputs"),
        ({"width": "64"}, r"width: Input should be a valid integer.* \(got '64'\)"),
        ({"width": 0}, r"width: .*greater than 0 \(got 0\)"),
        ({"train": {"warmup": 1.5}}, r"train.warmup: .*less than or equal to 1 \(got 1.5\)"),
        ({"seed": -1}, "seed"),
        ({"modalities": ["rgb"]}, "modalities.0: .*'visual', 'audio' or 'text'"),
        ({"visual": {"pool": "mean"}}, "visual.pool: .*'max' or 'average'"),
        ({"modalities": ["text", "visual"]}, "in this order, each once"),
        ({"modalities": ["text", "text"]}, "in this order, each once"),
        ({"modalities": []}, "one to three of"),
        ({"fusion": {"name": "single"}}, "'single' takes exactly one modality"),
        ({"data": {"crop_size": 65, "frame_size": 64}}, "crop_size 65 is larger than frame_size 64"),
        ({"train": {"epochs": 0}, "width": -1}, "width.*train.epochs"),
    ])  # fmt: skip
    def test_a_mistake_is_named_with_its_field(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            load(**changes)

    def test_what_is_not_json(self) -> None:
        with pytest.raises(InputError, match=r"my.json is not a valid run configuration: .*JSON"):
            load_config("{width: 3", "my.json")

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            CONFIG.width = 3  # type: ignore[misc]


OTHERS = {
    "seed": {"seed": 1},
    "width": {"width": 32},
    "modalities": {"modalities": PAIR},
    "fusion": {"fusion": NamedConfig(name="late")},
    "an option": {"fusion": NamedConfig(name="hierarchical", options={"heads": 2})},
    "objective": {"objective": NamedConfig(name="cross_entropy", options={"label_smoothing": 0.1})},
    "train": {"train": TrainConfig(learning_rate=2e-3)},
    "padding, for the draws of dropout": {"train": TrainConfig(pad_to=PadTo(text=16))},
    "visual": {"visual": VisualConfig(dropout=0.2)},
    "audio": {"audio": AudioConfig(mel_bins=32)},
    "text": {"text": TextConfig(layers=1)},
    "frame rate": {"data": DataConfig(frame_rate=4.0)},
    "crop": {"data": DataConfig(crop_size=48)},
    "vocabulary": {"data": DataConfig(vocabulary_size=512)},
}
ALIKE = {
    "names": {"study": "other", "arm": "other"},
    "runtime": {"runtime": RuntimeConfig(device="cpu", threads=2, loader_workers=3)},
    "tracking": {"tracking": TrackingConfig(wandb=False, project="other", tags=("x",))},
    "paths": {"data": DataConfig(manifest="elsewhere.jsonl", store="elsewhere")},
    "patience with decoding": {"data": DataConfig(decode_time_limit=5.0, max_failed_share=0.5)},
}


class TestSignature:
    def test_it_is_ten_hex_digits(self) -> None:
        assert len(signature(CONFIG, "data")) == 10
        int(signature(CONFIG, "data"), 16)

    @pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
    def test_what_decides_numbers_changes_it(self, changes: dict[str, Any]) -> None:
        assert signature(RunConfig(**changes), "data") != signature(CONFIG, "data")

    def test_all_of_these_differ(self) -> None:
        assert len({signature(RunConfig(**changes), "data") for changes in OTHERS.values()}) == len(OTHERS)

    @pytest.mark.parametrize("changes", ALIKE.values(), ids=ALIKE)
    def test_what_decides_none_does_not(self, changes: dict[str, Any]) -> None:
        assert signature(RunConfig(**changes), "data") == signature(CONFIG, "data")

    def test_other_data_changes_it(self) -> None:
        assert signature(CONFIG, "data") != signature(CONFIG, "other")

    def test_an_encoder_that_is_not_built_does_not_count(self) -> None:
        base = RunConfig(modalities=PAIR)
        assert signature(RunConfig(modalities=PAIR, text=TextConfig(layers=5)), "d") == signature(base, "d")
        assert signature(RunConfig(modalities=PAIR, audio=AudioConfig(mel_bins=32)), "d") != signature(
            base, "d"
        )

    def test_it_survives_the_file(self) -> None:
        config = RunConfig(
            train=TrainConfig(learning_rate=3e-4), fusion=NamedConfig(name="late", options={"dropout": 0.2})
        )
        assert signature(load_config(config.model_dump_json(), "f"), "d") == signature(config, "d")


def test_a_hop_is_in_samples() -> None:
    assert DataConfig().hop == 160
    assert DataConfig(sample_rate=22050, hop_seconds=0.02).hop == 441
    assert DataConfig(sample_rate=10, hop_seconds=0.01).hop == 1


def test_a_runs_label() -> None:
    assert RunConfig(study="routed", arm="late", seed=2).label == "routed/late-s2"
