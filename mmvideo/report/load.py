"""Read a study's finished run directories, and refuse to compare what is not comparable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmvideo.clips.labels import target
from mmvideo.config import RunConfig, load_config
from mmvideo.config_diff import differing_keys
from mmvideo.errors import InputError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.report.records import Arm, Clips, Run, Study
from mmvideo.vocabulary import MODALITIES


def load_study(directory: Path) -> Study:
    """Read `study.json` and every finished run beside it.

    Raises:
        InputError: no study or no arm with all its seeds; two finished runs of one arm and seed; runs that
            differ in configuration keys outside the study's axes, in data, classes or test clips. The message
            names the runs and what differs.
    """
    file = directory / "study.json"
    if not file.is_file():
        raise InputError(
            f"{directory} is no study: it has no study.json. Give the folder that `mmvideo ablate` wrote to."
        )
    record = _read_record(file)
    everything = sorted(result.parent for result in directory.glob("*/result.json"))
    listed = set(record.get("runs", ())) or {folder.name for folder in everything}
    folders = _by_arm_and_seed([folder for folder in everything if folder.name in listed], directory)
    names = [arm["name"] for arm in record["arms"]]
    missing = [f"{arm}-s{seed}" for arm in names for seed in record["seeds"] if (arm, seed) not in folders]
    complete = [
        arm for arm in record["arms"] if all((arm["name"], seed) in folders for seed in record["seeds"])
    ]
    if not complete:
        raise InputError(
            f"study '{record['name']}' has no arm with all of its seeds {record['seeds']} finished, so there "
            f"is nothing to compare. Missing: {', '.join(missing)}. Run the study again: it runs these."
        )
    clips = _read_clips(folders[complete[0]["name"], record["seeds"][0]])
    arms = tuple(
        Arm(
            arm["name"],
            arm["role"],
            tuple(_read_run(folders[arm["name"], s], clips) for s in record["seeds"]),
        )
        for arm in complete
    )
    axes = tuple(record["axes"])
    _refuse_differences(arms, axes)
    return Study(
        name=record["name"],
        title=record["title"],
        axes=axes,
        seeds=tuple(record["seeds"]),
        limits=record["limits"],
        arms=arms,
        missing=tuple(missing),
        left_out=tuple(name for name in names if name not in {arm.name for arm in arms}),
        unlisted=tuple(
            folder.name
            for folder in everything
            if folder not in {folders.get((arm, seed)) for arm in names for seed in record["seeds"]}
        ),
        clips=clips,
    )


def _by_arm_and_seed(finished: Sequence[Path], directory: Path) -> dict[tuple[str, int], Path]:
    """The folders of finished runs, those with a result.json, by arm and seed."""
    folders: dict[tuple[str, int], Path] = {}
    for folder in finished:
        record = _read_record(folder / "result.json")
        key = record["arm"], record["seed"]
        if key in folders:
            first, second = folders[key], folder
            a, b = _read_config(first), _read_config(second)
            raise InputError(
                f"arm '{key[0]}', seed {key[1]} has two finished runs, {first.name} and {second.name}"
                f"{_naming(differing_keys(a, b, axes=()))}. Move the one you do not mean out of {directory}."
            )
        folders[key] = folder
    return folders


def _naming(keys: Sequence[str]) -> str:
    return f" (they differ in {', '.join(keys)})" if keys else " (same configuration, other data)"


def _read_record(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def _read_config(folder: Path) -> RunConfig:
    file = folder / "config.json"
    return load_config(file.read_text(encoding="utf-8"), str(file))


def _read_lines(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _read_predictions(folder: Path) -> list[dict[str, Any]]:
    return sorted(_read_lines(folder / "predictions_test.jsonl"), key=lambda line: line["id"])


def _read_clips(folder: Path) -> Clips:
    """The study's test clips as one run predicted them."""
    classes = tuple(_read_record(folder / "result.json")["classes"])
    lines = _read_predictions(folder)
    class_of = {name: number for number, name in enumerate(classes)}
    kept = (line["label"] for line in lines)
    labels = [target(tuple(label) if isinstance(label, list) else label, class_of) for label in kept]
    return Clips(
        ids=tuple(line["id"] for line in lines),
        groups=np.array([line["group"] for line in lines]),
        labels=np.array(labels),
        classes=classes,
        task=_read_config(folder).data.task,
    )


def _read_run(folder: Path, clips: Clips) -> Run:
    result = _read_record(folder / "result.json")
    lines = _read_predictions(folder)
    ours, theirs = Counter(line["id"] for line in lines), Counter(clips.ids)
    odd = sorted((ours - theirs) + (theirs - ours))
    if odd:
        raise InputError(
            f"{folder.name} was tested on other clips than the rest of its study: {len(odd)} ids differ "
            f"({', '.join(odd[:3])}). Runs are compared clip by clip; run it again on the same data."
        )
    if tuple(result["classes"]) != clips.classes:
        raise InputError(
            f"{folder.name} has other classes than the rest of its study: {', '.join(result['classes'])}; "
            f"expected {', '.join(clips.classes)}. Run it again on the same data."
        )
    present = np.array([[m in line["present"] for m in MODALITIES] for line in lines])
    config = _read_config(folder)
    if config.data.task != clips.task:
        raise InputError(
            f"{folder.name} was trained for the task '{config.data.task}', the rest of its study for "
            f"'{clips.task}'; their scores cannot be compared."
        )
    key = TASKS[clips.task].outputs
    return Run(
        directory=folder,
        config=config,
        result=result,
        environment=_read_record(folder / "env.json"),
        curve=pd.DataFrame(_read_lines(folder / "metrics.jsonl")),
        outputs=np.array([line[key] for line in lines], dtype=float),
        present=present,
    )


def _refuse_differences(arms: tuple[Arm, ...], axes: tuple[str, ...]) -> None:
    """An arm's runs may differ in seed only, arms in the axes only; all must have seen the same data."""
    for arm in arms:
        for run in arm.runs[1:]:
            _refuse(arm.runs[0], run, differing_keys(arm.config, run.config, axes=()), "seed")
    for a, b in combinations(arms, 2):
        _refuse(a.runs[0], b.runs[0], differing_keys(a.config, b.config, axes), ", ".join(axes))
    runs = [run for arm in arms for run in arm.runs]
    for run in runs[1:]:
        if run.result["data_fingerprint"] != runs[0].result["data_fingerprint"]:
            raise InputError(
                f"{runs[0].directory.name} and {run.directory.name} saw different data "
                f"(fingerprints {runs[0].result['data_fingerprint']} and {run.result['data_fingerprint']}); "
                f"a comparison needs the same manifest and files. Run the study again with one of them."
            )


def _refuse(a: Run, b: Run, keys: Sequence[str], allowed: str) -> None:
    if keys:
        raise InputError(
            f"{a.directory.name} and {b.directory.name} may differ only in {allowed}, but differ in "
            f"{', '.join(keys)}. Make them equal, or declare the key an axis of the study."
        )
