"""Read a study's finished run directories, and refuse to compare what is not comparable."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from numpy import ndarray

from mmvideo.clips.labels import target
from mmvideo.config_diff import differing_keys
from mmvideo.errors import InputError
from mmvideo.evaluation.floor_record import FloorRecord, floor_file
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import Damaged, read_record, read_rows
from mmvideo.records import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    RESULT,
    Environment,
    MetricLine,
    Prediction,
    RunResult,
    open_run,
    predictions_file,
    run_remedy,
)
from mmvideo.report.given import folder_of
from mmvideo.report.runs import ArmRuns, Clips, FinishedRun, StudyRuns, Validation
from mmvideo.study_records import STUDY, StudyRecord

PREDICTIONS, VALIDATION = predictions_file("test"), predictions_file("val")
READ = (CONFIG, ENVIRONMENT, METRICS, PREDICTIONS, VALIDATION)
"""What a comparison takes from a run; its weights may be elsewhere by now."""
Found = tuple[Path, RunResult]


def load_study(directory: str | Path) -> StudyRuns:
    """Read `study.json` and every finished run beside it.

    Raises:
        InputError: no study or no arm with all its seeds; two finished runs of one arm and seed; a run whose
            files are not those it was made with; runs that differ in configuration keys outside the study's
            axes, in data, classes, or the test clips' ids, labels and groups. The message names the runs and
            what differs.
    """
    directory = folder_of(directory, "load_study", "of a study")
    file = directory / STUDY
    if not os.path.lexists(file):
        what = "it has no study.json" if directory.is_dir() else "there is no such folder"
        run = (directory / RESULT).is_file()
        todo = (
            "Of a single run: mmvideo.load_run." if run else "Give the folder that `mmvideo ablate` wrote to."
        )
        raise InputError(f"{directory} is no study: {what}. {todo}")
    remedy = "Run the study again: that writes it anew, and trains nothing twice."
    record = read_record(file, StudyRecord, remedy)
    everything = sorted(result.parent for result in directory.glob(f"*/{RESULT}"))
    listed = set(record.runs) or {folder.name for folder in everything}
    found = _by_arm_and_seed([folder for folder in everything if folder.name in listed], directory)
    names = [arm.name for arm in record.arms]
    missing = [f"{arm}-s{seed}" for arm in names for seed in record.seeds if (arm, seed) not in found]
    complete = [arm for arm in record.arms if all((arm.name, seed) in found for seed in record.seeds)]
    if not complete:
        raise InputError(
            f"study '{record.name}' has no arm with all of its seeds {list(record.seeds)} finished, so there "
            f"is nothing to compare. Missing: {', '.join(missing)}. Run the study again: it runs these."
        )
    clips = read_clips(*found[complete[0].name, record.seeds[0]])
    arms = tuple(
        ArmRuns(
            arm.name,
            arm.role,
            tuple(read_run(*found[arm.name, s], clips) for s in record.seeds),
            arm.factors,
        )
        for arm in complete
    )
    _refuse_differences(arms, record.axes)
    used = {found[arm, seed][0] for arm in names for seed in record.seeds if (arm, seed) in found}
    return StudyRuns(
        name=record.name,
        title=record.title,
        axes=record.axes,
        seeds=record.seeds,
        limits=record.limits,
        arms=arms,
        missing=tuple(missing),
        left_out=tuple(name for name in names if name not in {arm.name for arm in arms}),
        unlisted=tuple(folder.name for folder in everything if folder not in used),
        clips=clips,
        notes=record.notes,
        floors=_read_floors(directory, record.seeds, arms[0].runs[0].result.data_fingerprint),
        tuning=record.tuning,
        command=record.command,
    )


def load_run(directory: str | Path) -> StudyRuns:
    """A single finished run, as a study of one arm and one seed.

    Raises:
        InputError: what is given is no path.
        Damaged: no finished run, or one whose files are not those it was made with.
    """
    folder = folder_of(directory, "load_run", "of a finished run")
    result = open_run(folder, READ)
    clips = read_clips(folder, result)
    arm = ArmRuns(result.arm, "fusion", (read_run(folder, result, clips),))
    return StudyRuns(
        name=result.study,
        title=folder.absolute().name,
        axes=(),
        seeds=(result.seed,),
        limits=None,
        arms=(arm,),
        missing=(),
        left_out=(),
        unlisted=(),
        clips=clips,
    )


def _read_floors(directory: Path, seeds: Sequence[int], data_fingerprint: str) -> tuple[FloorRecord, ...]:
    """The floors beside the study, one record a seed; none where one is lacking.

    Raises:
        Damaged: one was changed, or made on other data than the runs.
    """
    files = [directory / floor_file(seed) for seed in seeds]
    if not all(file.exists() for file in files):
        return ()
    remedy = "Delete it; the study, run again, makes it again and trains nothing twice."
    floors = tuple(read_record(file, FloorRecord, remedy) for file in files)
    for file, floor in zip(files, floors, strict=True):
        if floor.data_fingerprint != data_fingerprint:
            raise Damaged(f"{file} was made on other data than the study's runs. {remedy}")
    return floors


def _by_arm_and_seed(finished: Sequence[Path], directory: Path) -> dict[tuple[str, int], Found]:
    """The folders of finished runs, those with a result.json, by arm and seed."""
    found: dict[tuple[str, int], Found] = {}
    for folder in finished:
        result = open_run(folder, READ)
        key = result.arm, result.seed
        if key in found:
            first, other = found[key]
            keys = differing_keys(other.decided_by, result.decided_by, axes=())
            differ = f"they differ in {', '.join(keys)}" if keys else "same configuration, other data"
            raise InputError(
                f"arm '{key[0]}', seed {key[1]} has two finished runs, {first.name} and {folder.name} "
                f"({differ}). Move the one you do not mean out of {directory}."
            )
        found[key] = folder, result
    return found


def _read_predictions(folder: Path) -> list[Prediction]:
    rows = read_rows(folder / PREDICTIONS, Prediction, run_remedy(folder))
    if not rows:
        raise Damaged(f"{folder / PREDICTIONS} is empty. {run_remedy(folder)}")
    return sorted(rows, key=lambda row: row.id)


def _labels(rows: Sequence[Prediction], classes: Sequence[str]) -> Shaped[ndarray, "n ..."]:
    place = {name: number for number, name in enumerate(classes)}
    return np.array([target(row.label, place) for row in rows])


def read_clips(folder: Path, result: RunResult) -> Clips:
    """The study's test clips as one run predicted them."""
    return _clips(folder, _read_predictions(folder), result)


def read_scores(folder: Path) -> tuple[Clips, Shaped[ndarray, " n"]]:
    """A finished run's test clips, and the task's score on each.

    Raises:
        Damaged: its predictions are not those its result was made with.
    """
    result = open_run(folder, [PREDICTIONS])
    rows = _read_predictions(folder)
    clips = _clips(folder, rows, result)
    return clips, TASKS[result.task].clip_scores(_outputs(folder, rows, clips), clips.labels)


def _clips(folder: Path, rows: Sequence[Prediction], result: RunResult) -> Clips:
    (name, count), *_ = Counter(row.id for row in rows).most_common(1)
    if count > 1:
        raise Damaged(f"{folder / PREDICTIONS} has clip {name} {count} times. {run_remedy(folder)}")
    return Clips(
        ids=tuple(row.id for row in rows),
        groups=np.array([row.group for row in rows]),
        labels=_labels(rows, result.classes),
        classes=result.classes,
        task=result.task,
    )


def read_run(folder: Path, result: RunResult, clips: Clips) -> FinishedRun:
    rows = _read_predictions(folder)
    ours, theirs = Counter(row.id for row in rows), Counter(clips.ids)
    odd = sorted((ours - theirs) + (theirs - ours))
    if odd:
        raise InputError(
            f"{folder.name} was tested on other clips than the rest of its study: {len(odd)} ids differ "
            f"({', '.join(odd[:3])}). Runs are compared clip by clip; run it again on the same data."
        )
    if result.task != clips.task:
        raise InputError(
            f"{folder.name} was trained for the task '{result.task}', the rest of its study for "
            f"'{clips.task}'; their scores cannot be compared."
        )
    if result.classes != clips.classes:
        raise InputError(
            f"{folder.name} has other classes than the rest of its study: {', '.join(result.classes)}; "
            f"expected {', '.join(clips.classes)}. Run it again on the same data."
        )
    labels, groups = _labels(rows, clips.classes), np.array([row.group for row in rows])
    for kind, own, other in (("labels", labels, clips.labels), ("groups", groups, clips.groups)):
        differ = (own != other).reshape(len(rows), -1).any(axis=1)
        if differ.any():
            raise InputError(
                f"{folder.name} saw other {kind} than the rest of its study on {differ.sum()} of the test "
                f"clips, such as {rows[int(differ.argmax())].id}. Run it again on the same data."
            )
    lines = read_rows(folder / METRICS, MetricLine, run_remedy(folder))
    return FinishedRun(
        directory=folder,
        result=result,
        environment=read_record(folder / ENVIRONMENT, Environment, run_remedy(folder)),
        curve=pd.DataFrame([line.model_dump() for line in lines]),
        outputs=_outputs(folder, rows, clips),
        present=_presence(rows, result.modalities),
        validation=_validation(folder, result, clips),
    )


def _validation(folder: Path, result: RunResult, clips: Clips) -> Validation | None:
    rows = read_rows(folder / VALIDATION, Prediction, run_remedy(folder))
    if not rows:
        return None
    present = _presence(rows, result.modalities)
    return Validation(_outputs(folder, rows, clips, VALIDATION), _labels(rows, clips.classes), present)


def _outputs(folder: Path, rows: Sequence[Prediction], clips: Clips, file: str = PREDICTIONS) -> ndarray:
    """The rows' outputs, (n, C); each row has those of the task, as many as it needs."""
    task = TASKS[clips.task]
    width = task.width(len(clips.classes))
    for row in rows:
        if getattr(row, task.outputs) is None or len(row.outputs) != width:
            raise Damaged(
                f"{folder / file}: clip {row.id} needs {width} {task.outputs}. {run_remedy(folder)}"
            )
        if any(isnan(output) for output in row.outputs):
            raise Damaged(
                f"{folder / file}: clip {row.id} has outputs that are no numbers. {run_remedy(folder)}"
            )
    return np.array([row.outputs for row in rows], dtype=float)


def _presence(rows: Sequence[Prediction], modalities: Sequence[str]) -> dict[str, ndarray]:
    names = dict.fromkeys([*modalities, *(name for row in rows for name in row.present)])
    return {name: np.array([name in row.present for row in rows]) for name in names}


def _refuse_differences(arms: tuple[ArmRuns, ...], axes: tuple[str, ...]) -> None:
    """An arm's runs may differ in seed only, arms in the axes only; all must have seen the same data."""
    for arm in arms:
        for run in arm.runs[1:]:
            _refuse(arm.runs[0], run, (), "seed")
    for a, b in combinations(arms, 2):
        _refuse(a.runs[0], b.runs[0], axes, ", ".join(axes))
    first, *rest = [run for arm in arms for run in arm.runs]
    for run in rest:
        for what in ("data_fingerprint", "manifest"):
            ours, theirs = getattr(first.result, what), getattr(run.result, what)
            if ours != theirs:
                raise InputError(
                    f"{first.directory.name} and {run.directory.name} saw different data ({what} {ours} and "
                    f"{theirs}); a comparison needs the same manifest and files. Run the study again with "
                    "one of them."
                )


def _refuse(a: FinishedRun, b: FinishedRun, axes: Sequence[str], allowed: str) -> None:
    keys = differing_keys(a.result.decided_by, b.result.decided_by, axes)
    if keys:
        raise InputError(
            f"{a.directory.name} and {b.directory.name} may differ only in {allowed}, but differ in "
            f"{', '.join(keys)}. Make them equal, or declare the key an axis of the study."
        )
