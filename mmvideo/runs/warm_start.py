"""Encoders that start from finished runs instead of at random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from mmvideo.clips.manifest import read_manifest
from mmvideo.config import RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.encoders.base import Encoder
from mmvideo.encoders.tuning import with_adapters
from mmvideo.errors import InputError
from mmvideo.files import read_rows
from mmvideo.records import CHECKPOINT, Prediction, predictions_file, run_remedy
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import finished_run, manifest_digest
from mmvideo.training.weights import read_weights


def with_sources(config: RunConfig) -> RunConfig:
    """The configuration with each entry of `encoders_from` as the folder of one run, its signature and all.

    An entry may leave the signature out, as `runs/study/arm-s0`, so that it can be written down before that
    run is trained.

    Raises:
        InputError: no finished run is named so, or several are.
    """
    if not config.encoders_from:
        return config
    found = tuple(str(finished_run(Path(entry))[0]) for entry in config.encoders_from)
    return config if found == config.encoders_from else config.model_copy(update={"encoders_from": found})


def sources(config: RunConfig) -> dict[str, RunDirectory]:
    """For each modality whose encoder is to start from a finished run: that run.

    Raises:
        InputError: not a finished run, one whose files are not those it was made with, one with none of this
            run's modalities, or two for one modality; or an encoder would be frozen at random weights.
    """
    found: dict[str, RunDirectory] = {}
    for path in config.encoders_from:
        run = RunDirectory(finished_run(Path(path))[0])
        run.result()
        shared = [m for m in run.config.modalities if m in config.modalities]
        if not shared:
            raise InputError(
                f"encoders_from: {path} has the modalities {', '.join(run.config.modalities)}; "
                f"this run has {', '.join(config.modalities)}"
            )
        for modality in shared:
            if modality in found:
                raise InputError(
                    f"encoders_from: {found[modality].path} and {path} both have an encoder for {modality}; "
                    "name one run for each modality"
                )
            found[modality] = run
    lacking = [m for m in config.modalities if m not in found]
    if config.encoders_frozen and lacking:
        raise InputError(
            f"encoders_frozen: no run of encoders_from has an encoder for {', '.join(lacking)}; "
            "name one, or leave the modality out"
        )
    return found


def clips_seen_before(data: RunData, runs: Mapping[str, RunDirectory]) -> list[str]:
    """What a reader must know where earlier runs trained on clips that this one validates or tests on.

    Validation splits that runs draw differ between seeds: an encoder of another seed has trained on some of
    this one's validation clips, so that scores there are too high. Clips count as the same by their ids; of a
    run whose manifest has changed since, it is not known which it trained on.
    """
    told = []
    for run in {run.path: run for run in runs.values()}.values():
        trained = _trained_on(run)
        for split in ("val", "test"):
            clips = data.clips(split)
            if seen := sum(clip.id in trained for clip in clips):
                told.append(
                    f"{seen} of the {len(clips)} {split} clips are training clips of {run.path.name}, whose "
                    f"encoders this run starts from: its {split} scores are too high. Start from a run of "
                    "the same seed and manifest"
                )
    return told


def _trained_on(run: RunDirectory) -> set[str]:
    """Ids of the clips it trained on, as far as its manifest is still there."""
    try:
        manifest = read_manifest(run.config.data.manifest)
    except InputError:
        return set()
    if manifest_digest(manifest) != run.result().manifest:
        return set()
    validated = read_rows(run.path / predictions_file("val"), Prediction, run_remedy(run.path))
    return {clip.id for clip in manifest.split("train")} - {row.id for row in validated}


def start_encoders(encoders: nn.ModuleDict, runs: Mapping[str, RunDirectory]) -> None:
    """Give encoders the weights they have in finished runs. Levels that only those runs had are left out.

    Raises:
        InputError: a weight the encoder has is not in the run, or has another shape there; or the run's
            weights cannot be read.
    """
    for modality, run in runs.items():
        encoder = encoders[modality]
        prefix = f"encoders.{modality}."
        weights = read_weights(run.path / CHECKPOINT)
        stored = {n.removeprefix(prefix): weight for n, weight in weights.items() if n.startswith(prefix)}
        assert isinstance(encoder, Encoder)
        for name, fuller in encoder.same_weights.items():
            if fuller in stored:
                stored.setdefault(name, stored[fuller])
        own = encoder.state_dict()
        stored = with_adapters(stored, own)
        for name, value in own.items():
            if name not in stored or stored[name].shape != value.shape:
                there = tuple(stored[name].shape) if name in stored else "not there"
                raise InputError(
                    f"encoders_from: the {modality} encoder of {run.path} does not fit: {name} is "
                    f"{tuple(value.shape)} here and {there} in the run. Give both runs the same "
                    f"`{modality}` and `width`"
                )
        encoder.load_state_dict({name: stored[name] for name in own})
