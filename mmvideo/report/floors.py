"""The floor as a control: the arms that stay below it, and the floor that a fusion is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool
from numpy import ndarray

from mmvideo.evaluation.statistics import compare_arms
from mmvideo.report.rows import Row
from mmvideo.report.runs import ArmRuns, StudyRuns
from mmvideo.vocabulary import first_of

UNDERFITS = "underfits"
BELOW = "below its floor"
"""The same of one seed, which does not tell what another would learn."""
LINEAR = "a linear model on plain features"
COLUMNS = ("floor", "floor_difference", "floor_low", "floor_high")
_METHOD = {
    "single_label": "logistic regression",
    "multi_label": "one logistic regression a class",
    "regression": "ridge regression",
}
_EXPLANATION = (
    "{} on plain features of whole clips, which need no training and no download: pixels at 16×16 (mean, "
    "deviation, change), MFCC (mean, deviation), TF-IDF of the words, or mean and deviation of given "
    "features; and means of parts in time where validation gains by them. For each modality, and for all. An "
    "arm whose interval against the floor of its modalities lies below zero, on the clips that have any of "
    "them, underfits: its encoders have not learnt what a linear model finds. Of one seed it is said to be "
    "below its floor."
)


@dataclass(frozen=True)
class FloorTest:
    """An arm against a floor, on the clips that have any of the arm's modalities."""

    name: str
    """The floor's."""
    difference: float
    low: float
    high: float
    above: bool
    """Whether the floor's score is the better one, by whatever little."""


def explanations(study: StudyRuns) -> dict[str, str]:
    """What the floor is, by the name it is explained under; empty where the study has none."""
    if not any(floor.floors for floor in study.floors):
        return {}
    return {"floor": _EXPLANATION.format(_METHOD[study.task.kind])}


def against_floor(study: StudyRuns, rows: Sequence[Row]) -> pd.DataFrame:
    """For each row its paired difference to the floor of its modalities, and whether it underfits; on the
    clips that have any of these modalities.

    The columns are empty for rows that are no arms, and where there is no floor of the same modalities.
    """
    floors = {row.modalities: row for row in rows if row.kind == "floor"}
    return pd.DataFrame([_against(study, row, floors.get(row.modalities)) for row in rows], columns=COLUMNS)


def without_floor(study: StudyRuns) -> list[str]:
    """A note on the arms that trained on fewer clips than the floors read, if there are any."""
    fewer = [arm.name for arm in study.arms if not _taught_as_much(study, arm)]
    if not fewer:
        return []
    clips = f"{study.floors[0].training_clips:,} training clips"
    return [f"Not compared with floors, which read {clips}, since they had fewer: {first_of(fewer)}."]


def leaders_floor(study: StudyRuns, rows: Sequence[Row], leader: str | None) -> FloorTest | None:
    """The fusion against the best floor of any of its modalities: of one, or of all; None without floors."""
    arm = next((row for row in rows if row.name == leader), None)
    if arm is None or not _comparable(study, arm):
        return None
    floors = [row for row in rows if row.kind == "floor" and set(row.modalities) <= set(arm.modalities)]
    sign = 1 if study.task.higher_is_better else -1
    tests = [_tested(study, arm, floor) for floor in floors]
    return min(tests, key=lambda test: sign * test.difference, default=None)


def _against(study: StudyRuns, row: Row, floor: Row | None) -> tuple[str, float, float, float]:
    if floor is None or row.kind not in ("fusion", "single modality") or not _comparable(study, row):
        return "", np.nan, np.nan, np.nan
    test = _tested(study, row, floor)
    below = test.high < 0 if study.task.higher_is_better else test.low > 0
    word = UNDERFITS if len(study.seeds) > 1 else BELOW
    return word if below else "", test.difference, test.low, test.high


def _tested(study: StudyRuns, row: Row, floor: Row) -> FloorTest:
    readable = _readable(study, row)
    own, linear = (of.scores(study)[:, readable] for of in (row, floor))
    test = compare_arms(own, linear, study.clips.units_among(readable), limits=study.task.range)
    above = test.difference < 0 if study.task.higher_is_better else test.difference > 0
    return FloorTest(floor.name, test.difference, test.low, test.high, above)


def _comparable(study: StudyRuns, row: Row) -> bool:
    """Whether there are clips enough to compare it on, and it has learnt from as many as the floor."""
    return int(_readable(study, row).sum()) > 1 and all(_taught_as_much(study, arm) for arm in row.members)


def _taught_as_much(study: StudyRuns, arm: ArmRuns) -> bool:
    if not study.floors:
        return True
    pairs = zip(arm.runs, study.floors, strict=True)
    return all(run.result.counts["train"] >= floor.training_clips for run, floor in pairs)


def _readable(study: StudyRuns, row: Row) -> Bool[ndarray, " n"]:
    """The test clips that have any of its modalities: on others an arm answers by the training prior, while
    the floor, to which an absent modality is zeros, may have learnt what absence tells."""
    present, none = study.arms[0].runs[0].present, np.zeros(len(study.clips.ids), dtype=bool)
    return np.any([none, *(present.get(modality, none) for modality in row.modalities)], axis=0)
