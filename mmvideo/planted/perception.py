"""What single modalities show, as labels: data on which an encoder learns to perceive, and nothing else."""

from __future__ import annotations

from pathlib import Path

from mmvideo.clips.manifest import read_manifest, write_manifest
from mmvideo.planted.generate import PlantedSpec, generate, shown

TAUGHT_ON = {
    "motion": "unique_visual",
    "flashes": "sync",
    "chirp": "unique_audio",
    "beep": "sync",
    "order": "unique_text",
    "query": "routed",
}
"""Renderer → the task on whose clips its encoder learns. A renderer draws alike in all tasks."""


def perception_manifest(renderer: str, modality: str, data: Path) -> Path:
    """The clips of the renderer's task with what the modality shows as the label, under `data`.

    Clips in which it shows nothing are left out. Planted clips are made if need be.
    """
    spec = PlantedSpec(task=TAUGHT_ON[renderer])
    manifest = generate(spec, data / spec.task)
    symbols = {name: getattr(world, modality) for name, world in shown(spec).items()}
    clips = [
        clip.model_copy(update={"label": f"shows{symbols[clip.id]:02}"})
        for clip in read_manifest(manifest).clips
        if symbols[clip.id] is not None
    ]
    path = manifest.with_name(f"shown_{modality}.jsonl")
    write_manifest(path, clips)
    return path
