"""The floors of a study's data: made once for each content of the data, and kept in the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmvideo.clips.manifest import Clip
from mmvideo.config import Input, RunConfig
from mmvideo.data.opened import Opened, open_data
from mmvideo.data.plain_features import plain_features
from mmvideo.data.run_data import RunData
from mmvideo.evaluation.floor import fit_floor
from mmvideo.evaluation.floor_record import Floor, FloorRecord
from mmvideo.files import digest_of, read_record, write_whole
from mmvideo.runs.identity import manifest_digest
from mmvideo.runs.own_code import source_digest
from mmvideo.schema import decisive
from mmvideo.seeding import derive_seed
from mmvideo.store.maintenance import FLOORS
from mmvideo.vocabulary import in_order

VERSION = 1
"""Raise it when the same data would give another floor."""
MOST_TRAINING_CLIPS = 3000
"""Where there are more, so many drawn from them."""
REMEDY = "Delete it; the same command makes it again."


def floor_of(configs: Sequence[RunConfig]) -> FloorRecord:
    """The floors of the modalities that a study's arms read, from the store where they were made before.

    A modality that arms read in different ways has none, since arms would have to be held to different ones.

    Args:
        configs: the arms', on the same data.

    Raises:
        InputError: the data cannot be read.
    """
    source = open_data(configs[0])
    given = _common(configs)
    base = configs[0].model_copy(update={"inputs": given, "modalities": in_order(given)})
    key = _key(base, source)
    path = Path(base.data.store) / FLOORS / f"{key}.json"
    if not path.exists():
        left_out = {m for config in configs for m in config.modalities} - given.keys()
        write_whole(path, _made(base, source, key, left_out).text())
    return read_record(path, FloorRecord, REMEDY)


def _common(configs: Sequence[RunConfig]) -> dict[str, Input]:
    """The modalities that all arms which have them read in the same way."""
    found: dict[str, list[Input]] = {}
    for config in configs:
        for name, given in config.active.items():
            found.setdefault(name, []).append(given)
    same = {
        name: {(given.kind, given.options.model_dump_json()) for given in all_}
        for name, all_ in found.items()
    }
    return {name: all_[0] for name, all_ in found.items() if len(same[name]) == 1}


def _key(config: RunConfig, source: Opened) -> str:
    read = {name: {"kind": i.kind, "options": decisive(i.options)} for name, i in config.inputs.items()}
    own = {given.kind: source_digest(given.kind) for given in config.inputs.values() if ":" in given.kind}
    data = [source.fingerprint, manifest_digest(source.manifest), config.data.task, config.data.frame_rate]
    return digest_of([VERSION, *data, read, own])


def _made(config: RunConfig, source: Opened, key: str, left_out: set[str]) -> FloorRecord:
    began = time.monotonic()
    clips = _chosen(source.clips)
    blocks = plain_features(config, source, clips)
    read = time.monotonic() - began
    data = RunData(config, source, {})
    labels, split = data.labels(clips), np.array([clip.split for clip in clips])
    floors = []
    for names in [*((name,) for name in blocks), *([tuple(blocks)] if len(blocks) > 1 else [])]:
        began = time.monotonic()
        fit = fit_floor(data.task, [blocks[name] for name in names], labels, split, len(data.classes))
        floors.append(
            Floor(
                modalities=names,
                outputs=tuple(tuple(row) for row in fit.outputs.round(6).tolist()),
                in_parts=fit.in_parts,
                strength=fit.strength,
                val_loss=fit.val_loss,
                seconds=round(time.monotonic() - began, 3),
            )
        )
    return FloorRecord(
        key=key,
        data_fingerprint=source.fingerprint,
        task=data.task,
        classes=data.classes,
        clips=tuple(clip.id for clip in clips if clip.split == "test"),
        training_clips=int((split == "train").sum()),
        left_out=tuple(in_order(left_out | (config.inputs.keys() - blocks.keys()))),
        seconds=round(read, 3),
        floors=tuple(floors),
    )


def _chosen(clips: Sequence[Clip]) -> list[Clip]:
    """All clips, but of the training clips no more than are needed, drawn by their ids."""
    train = sorted(
        (clip.id for clip in clips if clip.split == "train"), key=lambda id: derive_seed("floor", id)
    )
    kept = set(train[:MOST_TRAINING_CLIPS])
    return [clip for clip in clips if clip.split != "train" or clip.id in kept]
