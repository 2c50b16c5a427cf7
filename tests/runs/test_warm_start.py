"""Encoders that start where finished runs ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_records import made_result

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.errors import InputError
from mmvideo.model import FusionModel, build_model
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import signature
from mmvideo.runs.warm_start import sources, start_encoders, with_sources
from mmvideo.training.weights import save_weights

SMALL = {
    "width": 16,
    "inputs": {
        "audio": Input.of("audio", EncoderChoice.of("spectrogram_cnn", channels=(4, 4, 8))),
        "text": Input.of("text", EncoderChoice.of("transformer", hidden=16, layers=1)),
    },
}


def model(config: RunConfig) -> FusionModel:
    return build_model(config, 3, {"text": 20})


def finished(root: Path, modality: str, seed: int = 1) -> tuple[RunDirectory, FusionModel]:
    """A run with one modality, as training leaves it."""
    config = RunConfig(arm=modality, modalities=(modality,), fusion=FusionChoice.of("single"), **SMALL)
    run = RunDirectory.create(root, config, "data")
    torch.manual_seed(seed)
    trained = model(config)
    save_weights(trained, run.checkpoints / "best.safetensors")
    run.write_result(made_result(run.path, config))
    return run, trained


def both(*runs: RunDirectory, **changes: object) -> RunConfig:
    paths = tuple(str(run.path) for run in runs)
    fusion = FusionChoice.of("late")
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
    assert signature(both(first), "d") == signature(both(moved), "d")
    assert signature(both(first), "d") != signature(both(), "d")


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (audio, _), (again, _) = finished(tmp_path / "a", "audio"), finished(tmp_path / "b", "audio")
    with pytest.raises(InputError, match="both have an encoder for audio"):
        sources(both(audio, again))
    with pytest.raises(InputError, match="is not the folder of a finished run"):
        sources(both(RunDirectory(tmp_path / "nowhere")))
    only_text = RunConfig(
        modalities=("text",), fusion=FusionChoice.of("single"), encoders_from=(str(audio.path),)
    )
    with pytest.raises(InputError, match="has the modalities audio; this run has text"):
        sources(only_text)
    wider = both(audio, width=32)
    with pytest.raises(
        InputError, match=r"audio encoder of .* does not fit: .* Give both runs the same `audio`"
    ):
        start_encoders(model(wider).encoders, sources(wider))


def test_a_fusion_of_stems_starts_from_a_run_that_read_every_level(tmp_path: Path) -> None:
    config = RunConfig(modalities=("text",), fusion=FusionChoice.of("hierarchical"), **SMALL)
    run = RunDirectory.create(tmp_path, config, "data")
    trained = model(config)
    save_weights(trained, run.checkpoints / "best.safetensors")
    run.write_result(made_result(run.path, config))
    early = config.model_copy(update={"fusion": FusionChoice.of("early"), "encoders_from": (str(run.path),)})
    fresh = model(early)
    start_encoders(fresh.encoders, sources(early))
    words = trained.encoders["text"].transformer.get_input_embeddings()
    assert torch.equal(fresh.encoders["text"].embedding.weight, words.weight)


def test_a_run_is_found_without_its_signature(tmp_path: Path) -> None:
    (audio, _), (text, _) = finished(tmp_path, "audio"), finished(tmp_path, "text")
    unfinished = tmp_path / "train" / "audio-s0-0123456789"
    unfinished.mkdir()
    named = both().model_copy(
        update={"encoders_from": (str(tmp_path / "train" / "audio-s0"), str(text.path))}
    )
    assert with_sources(named).encoders_from == (str(audio.path), str(text.path))
    assert signature(with_sources(named), "d") == signature(named, "d") != signature(both(), "d")
    assert with_sources(both()) == both()
    (unfinished / "result.json").write_text("{}")
    with pytest.raises(InputError, match=r"audio-s0 is not .*there are audio-s0-0123456789, audio-s0-"):
        with_sources(named)
    nobody = named.model_copy(update={"encoders_from": (str(tmp_path / "train" / "visual-s0"),)})
    with pytest.raises(InputError, match=r"visual-s0 is not the folder of a finished run; train it first"):
        with_sources(nobody)


def test_all_encoders_that_are_frozen_come_from_runs(tmp_path: Path) -> None:
    (audio, _) = finished(tmp_path, "audio")
    config = both(audio, encoders_frozen=True)
    with pytest.raises(InputError, match="no run of encoders_from has an encoder for text"):
        sources(config)
    with pytest.raises(ValueError, match="name these in encoders_from"):
        RunConfig(encoders_frozen=True)
