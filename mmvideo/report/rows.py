"""The lines of the report's table before any statistics: the study's arms, then the controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from mmvideo.report import controls
from mmvideo.report.load import Arm, Study

KINDS = ("fusion", "single modality", "control", "no training")


@dataclass(frozen=True, eq=False)
class Row:
    """One arm or control with its S seeds' predictions; without training they are all the same."""

    name: str
    kind: str
    modalities: tuple[str, ...]
    log_probabilities: Float[ndarray, "S n C"]
    trained: bool
    members: tuple[Arm, ...]
    """The arms whose runs it needs: itself, the averaged ones, or none."""

    def correct(self, study: Study) -> Bool[ndarray, "S n"]:
        """Whether each seed is right on each test clip."""
        return self.log_probabilities.argmax(axis=2) == study.clips.labels


def build_rows(study: Study) -> tuple[list[Row], list[str]]:
    """The table's rows in their order, and notes on those that could not be made."""
    rows = [
        Row(arm.name, _kind(arm), arm.modalities, arm.log_probabilities, True, (arm,)) for arm in study.arms
    ]
    notes = []
    members = controls.score_average_members(study)
    if members:
        modalities = tuple(arm.modalities[0] for arm in members)
        average = controls.score_average(members)
        rows.append(Row(controls.SCORE_AVERAGE, "no training", modalities, average, True, members))
    else:
        notes.append("No score average: it needs single-modality arms of at least two modalities.")
    # The arm with the most modalities knows most about what is present.
    widest = max(study.arms, key=lambda arm: len(arm.modalities)).runs[0]
    counts, n_seeds = widest.result["train_presence"], len(study.seeds)
    for name, predictions in (
        (controls.MAJORITY, controls.majority(counts, len(study.clips.ids))),
        (controls.PRESENCE_ONLY, controls.presence_only(counts, widest.present)),
    ):
        rows.append(Row(name, "no training", (), np.stack([predictions] * n_seeds), False, ()))
    return rows, notes


def _kind(arm: Arm) -> str:
    if arm.unimodal:
        return "single modality"
    return "fusion" if arm.role == "fusion" else "control"
