"""The lines of the report's table before any statistics: the study's arms, then the controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.floor_record import floor_name
from mmvideo.report import controls
from mmvideo.report.runs import ArmRuns, StudyRuns

KINDS = ("fusion", "single modality", "control", "no training", "floor")


@dataclass(frozen=True, eq=False)
class Row:
    """One arm or control with its S seeds' predictions; without training they differ only where each seed
    draws its own validation split from the training clips."""

    name: str
    kind: str
    modalities: tuple[str, ...]
    outputs: Float[ndarray, "S n C"]
    trained: bool
    members: tuple[ArmRuns, ...]
    """The arms whose runs it needs: itself, the averaged ones, or none."""

    @property
    def by_seed(self) -> bool:
        """Whether a seed may change it: it is trained, or each seed draws its own validation split."""
        return self.trained or bool((self.outputs != self.outputs[0]).any())

    def complete(self, study: StudyRuns) -> Bool[ndarray, " n"]:
        """Which of the test clips have all modalities that it reads."""
        present = study.arms[0].runs[0].present
        nowhere = np.zeros(len(study.clips.ids), dtype=bool)
        return np.all([present.get(m, nowhere) for m in self.modalities], axis=0)

    def scores(self, study: StudyRuns) -> Shaped[ndarray, "S n"]:
        """Each seed's score on each test clip: whether it is right, or what else the task is measured by."""
        return study.task.clip_scores(self.outputs, study.clips.labels)


def build_rows(study: StudyRuns) -> tuple[list[Row], list[str]]:
    """The table's rows in their order, and notes on those that could not be made."""
    rows = [Row(arm.name, _kind(arm), arm.modalities, arm.outputs, True, (arm,)) for arm in study.arms]
    notes = []
    members = controls.score_averaging_members(study)
    if members:
        modalities = tuple(arm.modalities[0] for arm in members)
        average = controls.score_averaging(members, study.task.kind)
        rows.append(Row(controls.SCORE_AVERAGING, "no training", modalities, average, True, members))
    else:
        notes.append("No score averaging: it needs single-modality arms of at least two modalities.")
    each = [controls.constant_controls(run, study.task.kind) for run in study.arms[0].runs]
    for name in each[0]:  # seeds may have drawn their own validation split, so their own training split
        outputs = np.stack([found[name] for found in each])
        rows.append(Row(name, "no training", (), outputs, False, ()))
    reference = best_on_validation(study, "single modality")
    if reference is not None:
        outputs = controls.with_missingness(reference, study.task.kind)
        both = Row(
            controls.WITH_MISSINGNESS, "no training", reference.modalities, outputs, True, (reference,)
        )
        alone = study.task.clip_scores(reference.outputs, study.clips.labels)
        if not np.array_equal(both.scores(study), alone):
            rows.append(both)
    floors = [floor.predictions(study.clips.ids) for floor in study.floors]
    for read in dict.fromkeys(read for found in floors for read in found):
        if all(read in found for found in floors):
            outputs = np.stack([found[read] for found in floors])
            rows.append(Row(floor_name(read), "floor", read, outputs, False, ()))
        else:  # no clip of a seed's own training split has what another seed's has
            notes.append(f"No floor of {'+'.join(read)}: not every seed's training clips have all of it.")
    return rows, notes


def best_on_validation(study: StudyRuns, kind: str) -> ArmRuns | None:
    """The arm of a kind with the best validation score."""
    return max((arm for arm in study.arms if _kind(arm) == kind), key=lambda arm: arm.rank, default=None)


def _kind(arm: ArmRuns) -> str:
    if arm.unimodal:
        return "single modality"
    return "fusion" if arm.role == "fusion" else "control"
