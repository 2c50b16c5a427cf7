"""Encoders that have learnt what their own modality shows, so that a study of fusions can start from them.

For each renderer of planted data (motion, flashes, chirp, beep, word order, question) one run with a single
modality, whose label is the symbol that modality shows in a clip, whatever the task's own label is. With such
encoders frozen, a task asks one thing only: can the fusion combine what each modality has seen?
"""

from __future__ import annotations

from pathlib import Path

import bases

from mmvideo.clips.manifest import read_manifest, write_manifest
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.planted import PlantedSpec, generate, get_task, shown
from mmvideo.vocabulary import MODALITIES

TAUGHT_ON = {
    "motion": "unique_visual",
    "flashes": "sync",
    "chirp": "unique_audio",
    "beep": "sync",
    "order": "unique_text",
    "query": "routed",
}
"""Renderer → the task on whose clips its encoder learns. A renderer draws alike in all tasks."""

EPOCHS = {"motion": 4, "flashes": 10, "chirp": 3, "beep": 3, "order": 3, "query": 2}


def perceivers(task: str, data: Path) -> list[RunConfig]:
    """For each modality of a task, the run that teaches its encoder. Planted clips are made if need be."""
    return [_perceiver(modality, getattr(get_task(task), modality), data) for modality in MODALITIES]


def _perceiver(modality: str, renderer: str, data: Path) -> RunConfig:
    base = bases.planted(str(shown_manifest(TAUGHT_ON[renderer], modality, data)))
    epochs = EPOCHS[renderer]
    return base.model_copy(
        update={
            "study": "perception",
            "arm": renderer,
            "modalities": (modality,),
            "fusion": FusionChoice.of("hierarchical"),  # reads, and so trains, every level
            "train": base.train.model_copy(update={"epochs": epochs, "patience": epochs}),
        }
    )


def shown_manifest(task: str, modality: str, data: Path) -> Path:
    """The task's clips with what the modality shows as the label; without those in which it shows nothing."""
    spec = PlantedSpec(task=task)
    manifest = generate(spec, data / task)
    symbols = {name: getattr(world, modality) for name, world in shown(spec).items()}
    clips = [
        clip.model_copy(update={"label": f"shows{symbols[clip.id]:02}"})
        for clip in read_manifest(manifest).clips
        if symbols[clip.id] is not None
    ]
    path = manifest.with_name(f"shown_{modality}.jsonl")
    write_manifest(path, clips)
    return path
