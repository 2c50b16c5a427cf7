"""Test clips that are hard for all arms, and those on which two arms disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmvideo.report.runs import StudyRuns
from mmvideo.vocabulary import presence_pattern

SHOWN = 15
"""Clips a list."""
PICTURED = 6
"""So many of the hardest are shown as they look, sound and read."""


@dataclass(frozen=True)
class Still:
    """What a reader is shown of a clip: pictures as data URIs, and its words."""

    frames: str | None
    """Some of its frames, side by side."""
    spectrogram: str | None
    words: str


def hardest(study: StudyRuns) -> pd.DataFrame:
    """The clips with the worst score over all runs of all arms, worst first; `score` is that mean."""
    each = np.concatenate([study.task.clip_scores(arm.outputs, study.clips.labels) for arm in study.arms])
    sign = 1 if study.task.higher_is_better else -1
    return _described(study, {"score": each.mean(axis=0, dtype=float)}, sign * each.mean(axis=0, dtype=float))


def disagreements(study: StudyRuns, a: str, b: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The clips on which arm `a` scores best beside arm `b`, and the other way round, by the means over the
    seeds, columns `a` and `b`; only clips on which they differ."""
    arms = {arm.name: arm for arm in study.arms}
    scores = {
        name: study.task.clip_scores(arms[arm].outputs, study.clips.labels).mean(axis=0, dtype=float)
        for name, arm in (("a", a), ("b", b))
    }
    sign = 1 if study.task.higher_is_better else -1
    gain = sign * (scores["a"] - scores["b"])
    return _described(study, scores, -gain, below=0), _described(study, scores, gain, below=0)


def _described(
    study: StudyRuns, scores: dict[str, Any], order: np.ndarray, below: float = np.inf
) -> pd.DataFrame:
    """The first clips in an order, least first and only those below a limit, with what is known of them."""
    least = np.argsort(order, kind="stable")[:SHOWN]
    least = least[order[least] < below]
    clips, present = study.clips, study.arms[0].runs[0].present
    return pd.DataFrame(
        {
            "id": [clips.ids[place] for place in least],
            "group": [str(clips.groups[place]) for place in least],
            "label": [_label(study, place) for place in least],
            "present": [presence_pattern([m for m in present if present[m][place]]) for place in least],
            **{name: values[least] for name, values in scores.items()},
        }
    )


def _label(study: StudyRuns, place: int) -> str:
    label, classes = study.clips.labels[place], study.clips.classes
    if study.task.kind == "regression":
        return f"{label:.3g}"
    if study.task.kind == "multi_label":
        return ", ".join(name for name, held in zip(classes, label, strict=True) if held)
    return classes[label]
