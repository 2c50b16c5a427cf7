"""The floor as a control: its rows, the arms that stay below it, and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool
from numpy import ndarray

from mmvideo.evaluation.floor_record import floor_name
from mmvideo.evaluation.statistics import compare_arms
from mmvideo.report.rows import Row
from mmvideo.report.runs import StudyRuns

UNDERFITS = "underfits"
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
    "them, underfits: its encoders have not learnt what a linear model finds."
)


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


def _against(study: StudyRuns, row: Row, floor: Row | None) -> tuple[str, float, float, float]:
    readable = _readable(study, row)
    if floor is None or row.kind not in ("fusion", "single modality") or readable.sum() < 2:
        return "", np.nan, np.nan, np.nan
    own, linear = (of.scores(study)[:, readable] for of in (row, floor))
    test = compare_arms(own, linear, study.clips.units_among(readable), limits=study.task.range)
    below = test.high < 0 if study.task.higher_is_better else test.low > 0
    return UNDERFITS if below else "", test.difference, test.low, test.high


def _readable(study: StudyRuns, row: Row) -> Bool[ndarray, " n"]:
    """The test clips that have any of its modalities: on others an arm answers by the training prior, while
    the floor, to which an absent modality is zeros, may have learnt what absence tells."""
    present, none = study.arms[0].runs[0].present, np.zeros(len(study.clips.ids), dtype=bool)
    return np.any([none, *(present.get(modality, none) for modality in row.modalities)], axis=0)


def warning(study: StudyRuns, table: pd.DataFrame) -> str:
    """What has to be said before any claim about fusion: which single modalities underfit; else nothing."""
    wording = study.task.display
    found = table[(table["kind"] == "single modality") & (table["floor"] == UNDERFITS)]
    if not len(found):
        return ""
    told = [
        f"{row['arm']} {wording.change(row['floor_difference'])}{wording.change_unit} "
        f"[{wording.value(row['floor_low'])}, {wording.value(row['floor_high'])}] against "
        f"{floor_name([row['modalities']])}"
        for row in found.to_dict("records")
    ]
    return (
        f"Nothing can be concluded about fusion with these encoders: {', '.join(found['arm'])} "
        f"{'underfits' if len(found) == 1 else 'underfit'}, below what a linear model finds in plain "
        f"features ({'; '.join(told)})."
    )
