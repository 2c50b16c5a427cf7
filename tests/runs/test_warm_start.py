"""Encoders that start where finished runs ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmvideo.config import AudioConfig, NamedConfig, RunConfig, TextConfig
from mmvideo.errors import InputError
from mmvideo.model import FusionModel, build_model
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.warm_start import check_all_start_from_runs, sources, start_encoders
from mmvideo.training.weights import save_weights
from mmvideo.vocabulary import Modality

SMALL = {"width": 16, "audio": AudioConfig(channels=(4, 4, 8)), "text": TextConfig(hidden=16, layers=1)}


def model(config: RunConfig) -> FusionModel:
    return build_model(config, 3, 20)


def finished(root: Path, modality: Modality, seed: int = 1) -> tuple[RunDirectory, FusionModel]:
    """A run with one modality, as training leaves it."""
    config = RunConfig(arm=modality, modalities=(modality,), fusion=NamedConfig(name="single"), **SMALL)
    run = RunDirectory.create(root, config, "data")
    torch.manual_seed(seed)
    trained = model(config)
    save_weights(trained, run.checkpoint_path("best.safetensors"))
    run.write_result({"test": {"accuracy": 1.0}})
    return run, trained


def both(*runs: RunDirectory, **changes: object) -> RunConfig:
    paths = tuple(str(run.path) for run in runs)
    fusion = NamedConfig(name="late")
    return RunConfig(modalities=("audio", "text"), fusion=fusion, encoders_from=paths, **{**SMALL, **changes})


def test_encoders_take_their_runs_weights_and_the_rest_stays(tmp_path: Path) -> None:
    (audio, heard), (text, told) = finished(tmp_path, "audio"), finished(tmp_path, "text", 2)
    config = both(audio, text)
    torch.manual_seed(3)
    fresh = model(config)
    before = {name: value.clone() for name, value in fresh.fusion.state_dict().items()}
    start_encoders(fresh.encoders, sources(config))
    for modality, trained in (("audio", heard), ("text", told)):
        for name, value in fresh.encoders[modality].state_dict().items():
            assert torch.equal(value, trained.encoders[modality].state_dict()[name]), (modality, name)
    assert all(torch.equal(value, before[name]) for name, value in fresh.fusion.state_dict().items())


def test_the_signature_follows_the_run_and_not_its_place(tmp_path: Path) -> None:
    (first, _) = finished(tmp_path / "a", "audio")
    (moved, _) = finished(tmp_path / "b", "audio")
    assert both(first).signature("d") == both(moved).signature("d")
    assert both(first).signature("d") != both().signature("d")


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (audio, _), (again, _) = finished(tmp_path / "a", "audio"), finished(tmp_path / "b", "audio")
    with pytest.raises(InputError, match="both have an encoder for audio"):
        sources(both(audio, again))
    with pytest.raises(InputError, match="is not the folder of a finished run"):
        sources(both(RunDirectory(tmp_path / "nowhere")))
    only_text = RunConfig(
        modalities=("text",), fusion=NamedConfig(name="single"), encoders_from=(str(audio.path),)
    )
    with pytest.raises(InputError, match="has the modalities audio; this run has text"):
        sources(only_text)
    wider = both(audio, width=32)
    with pytest.raises(
        InputError, match=r"audio encoder of .* does not fit: .* Give both runs the same `audio`"
    ):
        start_encoders(model(wider).encoders, sources(wider))


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (audio, _) = finished(tmp_path, "audio")
    config, file = both(audio), audio.path / "checkpoints" / "best.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"best\.safetensors holds no weights that can be read"):
        start_encoders(model(config).encoders, sources(config))


def test_a_fusion_of_stems_starts_from_a_run_that_read_every_level(tmp_path: Path) -> None:
    config = RunConfig(modalities=("text",), fusion=NamedConfig(name="hierarchical"), **SMALL)
    run = RunDirectory.create(tmp_path, config, "data")
    trained = model(config)
    save_weights(trained, run.checkpoint_path("best.safetensors"))
    run.write_result({"test": {"accuracy": 1.0}})
    early = config.model_copy(update={"fusion": NamedConfig(name="early"), "encoders_from": (str(run.path),)})
    fresh = model(early)
    start_encoders(fresh.encoders, sources(early))
    words = trained.encoders["text"].transformer.get_input_embeddings()
    assert torch.equal(fresh.encoders["text"].embedding.weight, words.weight)


def test_all_encoders_that_are_frozen_come_from_runs(tmp_path: Path) -> None:
    (audio, _) = finished(tmp_path, "audio")
    config = both(audio, encoders_frozen=True)
    with pytest.raises(InputError, match="no run of encoders_from has an encoder for text"):
        check_all_start_from_runs(config, sources(config))
    with pytest.raises(ValueError, match="name these in encoders_from"):
        RunConfig(encoders_frozen=True)
