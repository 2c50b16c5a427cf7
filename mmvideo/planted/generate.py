"""Make a planted data set: draw worlds, render them, write files and manifest. Deterministic in its seed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.planted import render
from mmvideo.planted.tasks import Task, World, get_task
from mmvideo.planted.write import write_mp4, write_srt
from mmvideo.seeding import derive_seed
from mmvideo.vocabulary import SPLITS, Split
from mmvideo.workers import NoAnswer, check_workers, run_all

GENERATOR_VERSION = 4  # raise when the same seed gives other files
CLIPS_PER_GROUP = 8
RECORD = "planted.json"


@dataclass(frozen=True)
class PlantedSpec:
    """What a planted data set is made from."""

    task: str = "mixed"
    seed: int = 0
    train: int = 2400
    val: int = 400
    test: int = 800

    def count(self, split: Split) -> int:
        return {"train": self.train, "val": self.val, "test": self.test}[split]


def generate(
    spec: PlantedSpec,
    out: Path,
    *,
    workers: int | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the data set under `out` and return its manifest; one that is complete already is left as it is.

    `advance(done, total)` is called as clips are finished.

    Raises:
        InputError: unknown task, a split without clips, or a folder that cannot be written.
    """
    check_workers(workers)
    get_task(spec.task)  # a name that is not known ends here
    for split in SPLITS:
        if spec.count(split) < CLIPS_PER_GROUP:
            raise InputError(
                f"planted: {split} has {spec.count(split)} clips; "
                f"it needs at least {CLIPS_PER_GROUP}, one group"
            )
    manifest = out / "manifest.jsonl"
    record = {"version": GENERATOR_VERSION, **asdict(spec)}
    if manifest.exists() and read_json(out / RECORD) == record:
        return manifest
    try:
        (out / "clips").mkdir(parents=True, exist_ok=True)
        (out / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"planted: cannot write to {out} ({error.strerror}); choose another folder"
        ) from error
    jobs = [
        (spec, split, group, str(out))
        for split in SPLITS
        for group in range(-(-spec.count(split) // CLIPS_PER_GROUP))
    ]
    made: dict[tuple[Split, int], list[dict[str, Any]]] = {}
    total = sum(spec.count(split) for split in SPLITS)
    for (_, split, group, _), rows in run_all(_make_group, jobs, workers=workers or os.cpu_count() or 1):
        if isinstance(rows, NoAnswer):
            raise InputError(f"planted: {split} clips cannot be made in {out}: {rows.reason}")
        made[split, group] = rows
        if advance:
            advance(sum(map(len, made.values())), total)
    write_manifest(manifest, [Clip(**row) for _, split, group, _ in jobs for row in made[split, group]])
    write_json(out / RECORD, record)
    return manifest


def planted_task(manifest: Path) -> str | None:
    """The planted task a manifest belongs to, or None if it is not planted."""
    return read_json(manifest.parent / RECORD).get("task")


def shown(spec: PlantedSpec) -> dict[str, World]:
    """What was drawn for each clip of the data set, by its id: the symbols shown, and the label."""
    task = get_task(spec.task)
    return {
        _name(split, number): draw_world(task, _generator(spec, split, number))
        for split in SPLITS
        for number in range(spec.count(split))
    }


def _name(split: Split, number: int) -> str:
    return f"{split}-{number:05}"


def _generator(spec: PlantedSpec, split: Split, number: int) -> np.random.Generator:
    """All that is random in a clip comes from here; its world is the first draw."""
    return np.random.default_rng(derive_seed(spec.seed, spec.task, split, "clip", number))


def _make_group(job: tuple[PlantedSpec, Split, int, str]) -> list[dict[str, Any]]:
    """All clips of one group, as manifest rows. Runs in a worker process."""
    spec, split, group, out = job
    task = get_task(spec.task)
    session = render.Session.draw(np.random.default_rng(derive_seed(spec.seed, spec.task, split, group)))
    first = group * CLIPS_PER_GROUP
    numbers = range(first, min(first + CLIPS_PER_GROUP, spec.count(split)))
    name = f"{split}-g{group:03}"
    return [_make_clip(spec, task, split, name, number, session, Path(out)) for number in numbers]


def _make_clip(
    spec: PlantedSpec, task: Task, split: Split, group: str, number: int, session: render.Session, out: Path
) -> dict[str, Any]:
    rng = _generator(spec, split, number)
    world = draw_world(task, rng)
    name = _name(split, number)
    frames = render.VISUAL[task.visual](world.visual, rng, session)
    samples = render.AUDIO[task.audio](world.audio, rng, session)
    cues = render.TEXT[task.text](world.text, rng, session)
    # Half of what is lost is not there at all, so that absent tracks are met wherever this data is used.
    has_audio = world.audio is not None or rng.random() < 0.5
    has_text = world.text is not None or rng.random() < 0.5
    write_mp4(out / "clips" / f"{name}.mp4", frames, samples if has_audio else None)
    if has_text:
        write_srt(out / "clips" / f"{name}.srt", cues)
    row = {
        "id": name,
        "label": f"class{world.label}",
        "group": group,
        "split": split,
        "video": f"clips/{name}.mp4",
    }
    return row | ({"subtitles": f"clips/{name}.srt"} if has_text else {})


def draw_world(task: Task, rng: np.random.Generator) -> World:
    """One world at random, with its probability."""
    return task.worlds[rng.choice(len(task.worlds), p=[world.probability for world in task.worlds])]
