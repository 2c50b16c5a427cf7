"""The configuration: strict, and with a signature that changes with the numbers and with nothing else."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from torch import nn

from mmvideo.components import EncoderChoice, FusionChoice, ObjectiveChoice, names_a_part
from mmvideo.config import (
    DataConfig,
    Input,
    RunConfig,
    RuntimeConfig,
    TrackingConfig,
    TrainConfig,
    load_config,
)
from mmvideo.config_diff import check_axes, differing_keys
from mmvideo.errors import InputError
from mmvideo.modalities.visual import Visual
from mmvideo.runs.identity import signature
from mmvideo.train_config import Rates
from mmvideo.vocabulary import MODALITIES

CONFIG = RunConfig()
PAIR = ("visual", "audio")
VIDEO = CONFIG.inputs


def load(**changes: Any) -> RunConfig:
    return load_config(json.dumps(changes), "my.json")


def with_input(name: str, given: Input) -> dict[str, Any]:
    return {"inputs": {**VIDEO, name: given}}


EXAMPLES = [
    CONFIG,
    RunConfig(modalities=PAIR, fusion=FusionChoice.of("late", dropout=0.5), seed=3),
    RunConfig(**with_input("visual", Input.of("visual", EncoderChoice.of("cnn_lstm", channels=(8, 16))))),
    RunConfig(**with_input("text", Input.of("text", metadata_fields=("title", "tags")))),
    RunConfig(inputs={"mrna": Input.of("features"), "flow": Input.of("features", standardize=False)}),
]


class TestReading:
    @pytest.mark.parametrize("config", EXAMPLES)
    def test_written_and_read_it_is_the_same(self, config: RunConfig) -> None:
        again = load_config(config.model_dump_json(indent=2), "config.json")
        assert again == config
        assert list(again.inputs) == list(config.inputs)

    @pytest.mark.parametrize("config", EXAMPLES)
    def test_other_processes_are_given_the_same(self, config: RunConfig) -> None:
        again = pickle.loads(pickle.dumps(config))  # noqa: S301
        assert again == config
        assert type(again.fusion.options) is type(config.fusion.options)

    @pytest.mark.parametrize(("changes", "message"), [
        ({"widht": 64}, "my.json is not a valid run configuration: widht: Extra inputs are not permitted"),
        ({"train": {"epoch": 3}}, "train.epoch: Extra inputs"),
        ({"width": "64"}, r"width: Input should be a valid integer.* \(got '64'\)"),
        ({"width": 0}, r"width: .*greater than 0 \(got 0\)"),
        ({"train": {"warmup": 1.5}}, r"train.warmup: .*less than or equal to 1 \(got 1.5\)"),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate: .*finite number"),
        ({"data": {"frame_rate": 1e6}}, "data.frame_rate: .*less than or equal to 1000"),
        ({"train": {"modality_dropout": {"text": 1.5}}}, "train.modality_dropout.text: .*less than or equal"),
        ({"train": {"modality_dropout": {"flow": 0.5}}}, "train.modality_dropout names flow, which"),
        ({"train": {"pad_to": {"flow": 8}}}, "train.pad_to names flow, which is none of the inputs"),
        ({"seed": -1}, "seed"),
        ({"encoders_frozen": True}, "encoders_frozen .*name these in encoders_from"),
        ({"train": {"epochs": 0}, "width": -1}, "width.*train.epochs"),
    ])  # fmt: skip
    def test_a_mistake_is_named_with_its_field(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            load(**changes)

    @pytest.mark.parametrize(("changes", "message"), [
        ({"fusion": "erly"}, r"fusion: Unknown fusion 'erly'\. Did you mean 'early'\? Known: .*tensor"),
        ({"fusion": {"name": "late", "options": {"dropuot": 0.1}}}, r"'dropout'\? Known: .*, dropout"),
        ({"fusion": {"name": "late", "options": {"dropout": "x"}}}, "'late': dropout: .*valid number"),
        ({"fusion": {"name": "late", "options": 3}}, "options of fusion 'late' are names with values; got 3"),
        ({"fusion": {"name": "late", "option": {}}}, "fusion.option: Extra inputs"),
        ({"fusion": {"options": {}}}, "fusion.name: Field required"),
        ({"fusion": "json:loads"}, r"fusion 'json:loads' is not a subclass of mmvideo\.fusion"),
        ({"objective": "focl"}, r"objective: Unknown objective 'focl'\. Did you mean 'focal'\? Known: agm"),
        ({"objective": {"name": "focal", "options": {"gama": 1}}}, r"'gamma'\? Known: "),
        ({"inputs": {"visual": "visul"}}, r"inputs.visual: Unknown kind .*'visual'\? Known: audio, feat"),
        ({"inputs": {"visual": {"kind": "visual", "options": {"frame_sise": 3}}}}, r"'frame_size'\? Known: "),
        ({"inputs": {"visual": {"kind": "visual", "option": {}}}}, "inputs.visual.option: Extra inputs"),
        ({"inputs": {"visual": {"kind": "visual", "encoder": "cnn_lstn"}}},
         r"inputs.visual.encoder: Unknown encoder 'cnn_lstn'\. Did you mean 'cnn_lstm'\? Known: cnn_lstm, "),
        ({"inputs": {"visual": {"kind": "visual", "encoder": {"options": {"poool": "max"}}}}},
         r"inputs.visual.encoder: Unknown option of encoder 'cnn_lstm' 'poool'.* 'pool'\? Known: backbone"),
        ({"inputs": {"visual": {"kind": "visual", "encoder": {"options": {"pool": "mean"}}}}},
         "options of encoder 'cnn_lstm': pool: .*'max' or 'average'"),
        ({"inputs": {"visual": {"kind": "visual", "encoder": {"nam": "x"}}}}, "visual.encoder.nam: Extra"),
        ({"inputs": {"visual": {"options": {}}}}, "inputs.visual.kind: Field required"),
        ({"inputs": {}}, "inputs: .*at least 1"),
        ({"inputs": {"my flow": "features"}}, "inputs.my flow.*starts with a letter"),
    ])  # fmt: skip
    def test_a_mistake_in_a_component_is_named_with_its_place(
        self, changes: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            load(**changes)

    @pytest.mark.parametrize(("changes", "message"), [
        ({"modalities": ["rgb"]}, "modalities must be some of .*got .'rgb'"),
        ({"modalities": ["text", "visual"]}, "in this order, each once"),
        ({"modalities": ["text", "text"]}, "in this order, each once"),
        ({"modalities": []}, "must be some of"),
        ({"fusion": {"name": "single"}}, "'single' takes exactly one modality"),
        ({"inputs": {"flow": "visual", "rgb": "visual"}}, "flow and rgb both read a clip's visual track"),
        ({"inputs": {"a": "text", "text": "text"}}, "text track; name it once"),
    ])  # fmt: skip
    def test_modalities_that_make_no_run(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            load(**changes)

    def test_what_is_not_json(self) -> None:
        with pytest.raises(InputError, match=r"my.json is not a valid run configuration: .*JSON"):
            load_config("{width: 3", "my.json")

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            CONFIG.width = 3  # type: ignore[misc]


class TestInput:
    @pytest.mark.parametrize(("kind", "encoder"), [
        ("visual", "cnn_lstm"), ("audio", "spectrogram_cnn"), ("text", "transformer"),
        ("features", "feature_lstm"),
    ])  # fmt: skip
    def test_a_kind_brings_its_encoder(self, kind: str, encoder: str) -> None:
        assert Input.of(kind).encoder == EncoderChoice.of(encoder)
        options = {"dropout": 0.25}
        changed = load(inputs={"mine": {"kind": kind, "encoder": {"options": options}}}).inputs["mine"]
        assert changed == Input.of(kind, EncoderChoice.of(encoder, **options))

    @pytest.mark.parametrize(("kind", "encoder"), [
        ("visual", "spectrogram_cnn"), ("audio", "feature_lstm"), ("features", "cnn_lstm"),
    ])  # fmt: skip
    def test_an_encoder_of_another_kind(self, kind: str, encoder: str) -> None:
        with pytest.raises(InputError, match=f"encoder '{encoder}' reads what is .*, not {kind}; for that"):
            Input.of(kind, encoder)

    def test_pictures_that_are_larger_than_the_stored_frames(self) -> None:
        cnn = EncoderChoice.of("cnn_lstm", picture_size=65)
        with pytest.raises(InputError, match="picture_size 65 is larger than frame_size 64"):
            Input.of("visual", cnn)
        assert Input.of("visual", cnn, frame_size=65).options == Visual.Config(frame_size=65)

    @pytest.mark.parametrize(("options", "named"), [
        ({}, "random_crop"),
        ({"random_crop": False, "flip_probability": 0.5, "hue": 0.1}, "flip_probability, hue"),
        ({"random_crop": False, "eval_crops": 3}, "eval_crops"),
    ])  # fmt: skip
    def test_cached_features_of_frames_that_change(self, options: dict[str, Any], named: str) -> None:
        cnn = EncoderChoice.of("cnn_lstm", frozen=True, cached=True)
        with pytest.raises(InputError, match=f"`cached` keeps .* would be wrong with {named}; switch off"):
            Input.of("visual", cnn, **options)
        assert Input.of("visual", cnn, random_crop=False).encoder == cnn


class TestModalities:
    def test_all_inputs_are_active_unless_some_are_named(self) -> None:
        assert CONFIG.modalities == MODALITIES
        assert list(RunConfig(modalities=("audio",)).active) == ["audio"]

    def test_ones_own_come_after_those_of_video_as_they_are_given(self) -> None:
        given = {name: Input.of("features") for name in ("mrna", "text", "flow", "visual")}
        config = RunConfig(inputs=given)
        assert config.modalities == tuple(config.active) == ("visual", "text", "mrna", "flow")
        part = RunConfig(inputs=given, modalities=("text", "flow"))
        assert list(part.active) == ["text", "flow"]
        with pytest.raises(ValueError, match=r"some of \('visual', 'text', 'mrna', 'flow'\), in this order"):
            RunConfig(inputs=given, modalities=("flow", "mrna"))

    def test_any_number_may_be_read_from_features(self) -> None:
        given = {f"sensor_{i}": Input.of("features") for i in range(9)}
        assert len(RunConfig(inputs=VIDEO | given).modalities) == 12

    @pytest.mark.parametrize("name", ["type", "keys", "training", "T_destination", "fusion", "none"])
    def test_names_that_parts_of_the_model_or_of_records_have(self, name: str) -> None:
        with pytest.raises(InputError, match=f"no modality can be called {name}, .* give it another name"):
            load(inputs={name: "features", "flow": "features"})

    @pytest.mark.parametrize("name", ["flow", "mRNA", "head", "class", "rgb_2"])
    def test_other_names_can_be_parts(self, name: str) -> None:
        assert names_a_part(name)
        parts = nn.ModuleDict({name: nn.Linear(1, 1)})
        assert list(parts.state_dict()) == [f"{name}.weight", f"{name}.bias"]
        assert load(inputs={name: "features"}).modalities == (name,)


OPTIONS = "inputs.text.encoder.options"
OTHERS: dict[str, dict[str, Any]] = {
    "seed": {"seed": 1},
    "width": {"width": 32},
    "modalities": {"modalities": PAIR},
    "fusion": {"fusion": FusionChoice.of("late")},
    "an option": {"fusion": FusionChoice.of("hierarchical", heads=2)},
    "objective": {"objective": ObjectiveChoice.of("cross_entropy", label_smoothing=0.1)},
    "train": {"train": TrainConfig(learning_rate=2e-3)},
    "a part's rate": {"train": TrainConfig(rates=Rates(head=0.1))},
    "rates by block": {"train": TrainConfig(layer_decay=0.9)},
    "blocks to tune": with_input(
        "text", Input.of("text", EncoderChoice.of("transformer", tune={"blocks": 1}))
    ),
    "modality dropout": {"train": TrainConfig(modality_dropout={"text": 0.5})},
    "padding, for the draws of dropout": {"train": TrainConfig(pad_to={"text": 16})},
    "visual": with_input("visual", Input.of("visual", EncoderChoice.of("cnn_lstm", dropout=0.2))),
    "audio": with_input("audio", Input.of("audio", EncoderChoice.of("spectrogram_cnn", mel_bins=32))),
    "text": with_input("text", Input.of("text", EncoderChoice.of("transformer", layers=1))),
    "frame rate": {"data": DataConfig(frame_rate=4.0)},
    "crop": with_input("visual", Input.of("visual", EncoderChoice.of("cnn_lstm", picture_size=48))),
    "noise": with_input("audio", Input.of("audio", snr_db=0.0)),
    "vocabulary": with_input("text", Input.of("text", EncoderChoice.of("transformer", vocabulary_size=512))),
    "another kind": with_input("text", Input.of("features")),
    "one more": with_input("flow", Input.of("features")),
}
ALIKE: dict[str, dict[str, Any]] = {
    "names": {"study": "other", "arm": "other"},
    "runtime": {"runtime": RuntimeConfig(device="cpu", threads=2, loader_workers=3)},
    "tracking": {"tracking": TrackingConfig(wandb=False, project="other", tags=("x",))},
    "paths": {"data": DataConfig(manifest="elsewhere.jsonl", store="elsewhere")},
    "patience with decoding": {"data": DataConfig(decode_time_limit=5.0, max_failed_share=0.5)},
    "what looks on": {"train": TrainConfig(diagnostics=False)},
    "an input that is not active": with_input("flow", Input.of("features")) | {"modalities": MODALITIES},
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

    def test_how_the_epoch_is_chosen_counts_from_its_first_default_on(self) -> None:
        """Runs of before `select` chose by loss: they are those that ask for it, and no others."""
        written = CONFIG.model_dump()
        del written["train"]["select"]
        before = load_config(json.dumps(written), "config.json of an earlier run")
        by = {select: RunConfig(train=TrainConfig(select=select)) for select in ("score", "loss", "last")}
        assert before.train.select == "loss"
        assert signature(before, "data") == signature(by["loss"], "data")
        assert signature(CONFIG, "data") == signature(by["score"], "data")
        assert len({signature(config, "data") for config in by.values()}) == 3

    def test_runs_whose_vectors_for_what_is_missing_started_small_are_told_apart(self) -> None:
        written = CONFIG.model_dump()
        del written["fusion"]["options"]["absent_std"]
        before = load_config(json.dumps(written), "config.json of an earlier run")
        small = RunConfig(fusion=FusionChoice.of("hierarchical", absent_std=0.02))
        assert signature(before, "data") == signature(small, "data") != signature(CONFIG, "data")

    def test_only_active_inputs_count(self) -> None:
        assert list(RunConfig(modalities=PAIR).deciding()["inputs"]) == list(PAIR)
        given = {"flow": Input.of("features"), "mrna": Input.of("features", standardize=False)}
        alone = RunConfig(inputs=given, modalities=("mrna",)).deciding()
        assert list(alone["inputs"]) == ["mrna"]
        assert alone["inputs"]["mrna"]["options"]["standardize"] is False

    def test_an_encoder_that_is_not_built_does_not_count(self) -> None:
        base = RunConfig(modalities=PAIR)
        deeper = RunConfig(modalities=PAIR, **OTHERS["text"])
        assert signature(deeper, "d") == signature(base, "d")
        assert signature(RunConfig(modalities=PAIR, **OTHERS["audio"]), "d") != signature(base, "d")

    def test_tuning_counts_where_it_does_something(self) -> None:
        plain = CONFIG.deciding()
        assert not {"rates", "layer_decay"} & set(plain["train"])
        assert "tune" not in plain["inputs"]["text"]["encoder"]["options"]
        for name, axis in (
            ("a part's rate", "train.rates.head"),
            ("blocks to tune", f"{OPTIONS}.tune.blocks"),
        ):
            other = RunConfig(**OTHERS[name])
            check_axes((axis,), [other.deciding()])
            assert differing_keys(plain, other.deciding(), (axis,)) == []

    def test_it_survives_the_file(self) -> None:
        config = RunConfig(train=TrainConfig(learning_rate=3e-4), fusion=FusionChoice.of("late", dropout=0.2))
        assert signature(load_config(config.model_dump_json(), "f"), "d") == signature(config, "d")


def test_a_runs_label() -> None:
    assert RunConfig(study="routed", arm="late", seed=2).label == "routed/late-s2"
