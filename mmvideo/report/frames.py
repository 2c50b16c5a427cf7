"""What a study's finished runs hold, as tidy pandas frames: a row per run, epoch, clip or subset."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from mmvideo.config_diff import flatten
from mmvideo.files import read_text
from mmvideo.records import CONFIG
from mmvideo.report.given import of_study
from mmvideo.report.runs import ArmRuns, FinishedRun, StudyRuns
from mmvideo.vocabulary import TaskKind

IN_CURVES = ("epoch", "step", "split", "seconds", "training_seconds")


@of_study
def run_frame(study: StudyRuns) -> pd.DataFrame:
    """A row per run: `arm`, `role`, `seed`, `directory`, `modalities` (`visual+text`), a column for each
    field that the study varies (its axes, `fusion.name` …), the arm's level of each factor (`factor_share`
    …; of controls those that they have), `best_epoch`, metrics of validation and test (`val_accuracy`,
    `test_nll` …) and costs (`parameters`, `train_seconds` …).
    """
    every = [(arm, run, _fields(run)) for arm, run in _each(study)]
    factors = dict.fromkeys(factor for arm in study.arms for factor in arm.factors)
    varied = [
        key
        for key in dict.fromkeys(key for *_, flat in every for key in flat)
        if key != "modalities" and any(key == axis or key.startswith(f"{axis}.") for axis in study.axes)
    ]
    return pd.DataFrame(
        {
            "arm": arm.name,
            "role": arm.role,
            "seed": run.result.seed,
            "directory": str(run.directory),
            "modalities": "+".join(run.result.modalities),
            **{key: _plain(flat.get(key)) for key in varied},
            **{f"factor_{factor}": arm.factors.get(factor) for factor in factors},
            "best_epoch": run.result.best_epoch,
            **{f"val_{name}": value for name, value in run.result.val.items()},
            **{f"test_{name}": value for name, value in run.result.test.items()},
            **run.result.costs.model_dump(),
        }
        for arm, run, flat in every
    )


@of_study
def curve_frame(study: StudyRuns) -> pd.DataFrame:
    """What was logged in training, a row per arm, seed, epoch, split and metric: `value`."""
    parts = []
    for arm, run in _each(study):
        known = [column for column in IN_CURVES if column in run.curve]
        long = run.curve.melt(id_vars=known, var_name="metric").dropna(subset="value")
        long.insert(0, "arm", arm.name)
        long.insert(1, "seed", run.result.seed)
        parts.append(long)
    return pd.concat(parts, ignore_index=True)


@of_study
def prediction_frame(study: StudyRuns) -> pd.DataFrame:
    """A row per arm, seed and test clip: `clip`, `group`, `label`, `predicted`, `score` (1 where it is
    right, or what else the task is measured by), `present` (the modalities it has), and the outputs, a
    column per class (`log_probability of run`), or `value`.
    """
    clips, task = study.clips, study.task
    names = (
        ["value"] if task.kind == "regression" else [f"{_OUTPUT[task.kind]} of {c}" for c in clips.classes]
    )
    parts = []
    for arm, run in _each(study):
        present = [
            "+".join(name for name, has in run.present.items() if has[i]) for i in range(len(clips.ids))
        ]
        known = pd.DataFrame(
            {
                "arm": arm.name,
                "seed": run.result.seed,
                "clip": clips.ids,
                "group": clips.groups,
                "label": _named(clips.labels, study),
                "predicted": _named(_decided(run.outputs, task.kind), study),
                "score": task.clip_scores(run.outputs, clips.labels).astype(float),
                "present": present,
            }
        )
        parts.append(known.join(pd.DataFrame(run.outputs, columns=names)))
    return pd.concat(parts, ignore_index=True)


@of_study
def subset_frame(study: StudyRuns) -> pd.DataFrame:
    """Test scores with only some of a run's modalities present, nothing retrained: a row per arm, seed and
    `subset` (`visual+text`; empty: none of them), with all metrics."""
    return pd.DataFrame(
        {"arm": arm.name, "seed": run.result.seed, "subset": subset, **metrics}
        for arm, run in _each(study)
        for subset, metrics in run.result.test_subsets.items()
    )


_OUTPUT = {"single_label": "log_probability", "multi_label": "logit"}


def _each(study: StudyRuns) -> list[tuple[ArmRuns, FinishedRun]]:
    return [(arm, run) for arm in study.arms for run in arm.runs]


def _fields(run: FinishedRun) -> dict[str, object]:
    """What the run was made with. Fields that decide nothing at the value they have are not in its result."""
    written = json.loads(read_text(run.directory / CONFIG, "Run the study again: that writes it anew."))
    return flatten(written) | flatten(run.result.deciding)


def _plain(value: object) -> object:
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else value


def _decided(outputs: np.ndarray, kind: TaskKind) -> np.ndarray:
    if kind == "single_label":
        return outputs.argmax(axis=1)
    return outputs >= 0 if kind == "multi_label" else outputs[:, 0]


def _named(values: np.ndarray, study: StudyRuns) -> list[object]:
    """Classes by their names; several of a clip in a tuple; numbers as they are."""
    classes = study.clips.classes
    if study.task.kind == "single_label":
        return [classes[number] for number in values]
    if study.task.kind == "multi_label":
        return [tuple(name for name, has in zip(classes, row, strict=True) if has) for row in values]
    return [float(number) for number in values]
