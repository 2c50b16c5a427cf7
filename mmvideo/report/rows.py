"""The lines of the report's table before any statistics: the study's arms, then the controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.floor_record import floor_name
from mmvideo.report import controls
from mmvideo.report.conditions import Condition, best, conditions_of
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
    control: str = ""
    """Of controls made from predictions, which one it is."""
    beside: frozenset[str] = frozenset()
    """And the arms under whose conditions it is made."""

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
    conditions = conditions_of(study)
    for condition in conditions:
        rows += (averaged := list(_averaged(study, condition)))
        at = f" at {condition.label}" if condition.label else ""
        if at and condition.fusions and not condition.singles:
            notes.append(f"What fusion gains{at} is not measured: no single-modality arm there is finished.")
        elif not averaged and (condition.fusions or not at):
            notes.append(f"No score averaging{at}: it needs single-modality arms of at least two modalities.")
    notes += _without_levels(study)
    rows += _without_content(study, conditions)
    for condition in conditions:
        rows += _with_missingness(study, condition)
    floors = [floor.predictions(study.clips.ids) for floor in study.floors]
    for read in dict.fromkeys(read for found in floors for read in found):
        if all(read in found for found in floors):
            outputs = np.stack([found[read] for found in floors])
            rows.append(Row(floor_name(read), "floor", read, outputs, False, ()))
        else:  # no clip of a seed's own training split has what another seed's has
            notes.append(f"No floor of {'+'.join(read)}: not every seed's training clips have all of it.")
    return rows, notes


def _without_levels(study: StudyRuns) -> Iterator[str]:
    """That a study varies what single modalities do, and its record does not say at which levels each is."""
    singles = [arm for arm in study.arms if arm.unimodal and arm.role == "control"]
    several = len({arm.modalities for arm in singles}) < len(singles)
    if several and any(arm.factors for arm in study.arms) and not any(arm.factors for arm in singles):
        yield (
            "study.json does not say at which levels its controls are, as it did not of old, so fusions of "
            "all levels are compared with the best single modality of any. Run the study's command again: "
            "that writes it anew, and trains nothing twice."
        )


def _averaged(study: StudyRuns, condition: Condition) -> Iterator[Row]:
    members = controls.score_averaging_members(condition.singles, study.modalities)
    if members:
        name, modalities = controls.SCORE_AVERAGING, tuple(arm.modalities[0] for arm in members)
        outputs = controls.score_averaging(members, study.task.kind)
        yield Row(
            condition.name(name), "no training", modalities, outputs, True, members, name, condition.arms
        )


def _without_content(study: StudyRuns, conditions: Sequence[Condition]) -> list[Row]:
    """What knows only the training labels: one row each, or one for every condition, where these train on
    other clips."""
    made = []
    for condition in conditions:
        runs = (*condition.fusions, *condition.singles, *study.arms)[0].runs
        each = [controls.constant_controls(run, study.task.kind) for run in runs]
        # seeds may have drawn their own validation split, so their own training split
        made.append({name: np.stack([found[name] for found in each]) for name in each[0]})
    rows = []
    for name in made[0]:
        same = all(np.array_equal(found[name], made[0][name]) for found in made)
        every = frozenset(arm.name for arm in study.arms)
        for condition, found in zip(conditions[: 1 if same else None], made, strict=False):
            called, beside = (name, every) if same else (condition.name(name), condition.arms)
            rows.append(Row(called, "no training", (), found[name], False, (), name, beside))
    return rows


def _with_missingness(study: StudyRuns, condition: Condition) -> Iterator[Row]:
    reference = condition.reference
    if reference is None:
        return
    name, outputs = controls.WITH_MISSINGNESS, controls.with_missingness(reference, study.task.kind)
    row = Row(
        condition.name(name), "no training", reference.modalities, outputs, True, (reference,), name,
        condition.arms,
    )  # fmt: skip
    alone = study.task.clip_scores(reference.outputs, study.clips.labels)
    if not np.array_equal(row.scores(study), alone):
        yield row


def references(study: StudyRuns) -> dict[str, str]:
    """Arm → the single modality with the best validation score under its conditions; empty without any.

    A single modality may stand under several: those of the leading fusion come first.
    """
    leader = leading(study)
    found: dict[str, str] = {}
    for condition in sorted(conditions_of(study), key=lambda condition: leader not in condition.fusions):
        if condition.reference is not None:
            found |= dict.fromkeys(sorted(condition.arms - found.keys()), condition.reference.name)
    return found


def reference_of(
    study: StudyRuns, row: Row, of: Mapping[str, str], leader: str | None, leaders: str | None
) -> str | None:
    """The best single modality under the row's conditions; of what stands under the leader's, or under none,
    the leader's. None: none is finished under them."""
    if row.kind in ("fusion", "single modality"):
        return of.get(row.name)
    if not row.beside or leader in row.beside:
        return leaders
    own = [arm for arm in study.arms if arm.name in row.beside and arm.name in of]
    # a fusion stands under one condition, a single modality perhaps under several
    return next((of[arm.name] for arm in sorted(own, key=lambda arm: arm.unimodal)), None)


def leading(study: StudyRuns) -> ArmRuns | None:
    """The fusion with the best validation score."""
    return best([arm for arm in study.arms if _kind(arm) == "fusion"])


def _kind(arm: ArmRuns) -> str:
    if arm.unimodal:
        return "single modality"
    return "fusion" if arm.role == "fusion" else "control"
