"""What studies and their comparisons leave on disk, typed and versioned. Its keys are spelled here only."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mmvideo.records import Sealed
from mmvideo.schema import Part
from mmvideo.tuning_record import TuningRecord
from mmvideo.vocabulary import TaskKind

STUDY, COMPARISON = "study.json", "comparison.json"
Role = Literal["fusion", "control"]


class ArmRecord(Part):
    """An arm of a study: its name, and whether it is a fusion to choose from or a control."""

    name: str
    role: Role
    factors: dict[str, str] = Field(default_factory=dict)
    """Factor → label of the level that the arm has of it, in a study made of axes. Controls have those of the
    factors that change what a modality does alone; fusions are compared with controls at their own levels."""


class StudyRecord(Sealed):
    """study.json: what a report needs to know of a study beside its runs."""

    name: str
    title: str
    axes: tuple[str, ...]
    arms: tuple[ArmRecord, ...]
    seeds: tuple[int, ...]
    runs: tuple[str, ...] = ()
    """Directories that belong to the study as it is now; empty: all beside it."""
    limits: dict[str, Any] | None
    """What is known about the task in advance: Bayes accuracies and the additive bound."""
    manifest: str
    """The list of clips that the study is about, as seen from the study's folder."""
    data_fingerprint: str | None = None
    """Names the content of the data."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside the numbers, such as modalities that the data lack."""
    tuning: TuningRecord | None = None
    """The arms' trials on validation, before these runs; None: none were made."""
    command: str = ""
    """What made it; empty where it was made from Python."""


class ComparisonRecord(Sealed):
    """comparison.json: a report's numbers. NaN is null."""

    mmvideo: str
    """The version that compared."""
    study: str
    title: str
    axes: tuple[str, ...]
    seeds: tuple[int, ...]
    n_clips: int
    n_groups: int
    intervals_over: str
    """Groups of clips; or clips, where all are of one group."""
    task: TaskKind
    answer: str
    qualified_by: tuple[str, ...] = ()
    """What the answer is not to be read without."""
    best_unimodal: str | None
    leader: str | None
    arms: tuple[dict[str, Any], ...]
    pairs: tuple[dict[str, Any], ...]
    variance: tuple[dict[str, Any], ...] = ()
    margin: float | None = None
    """Of equivalence, in the score's unit; None: nothing was called equivalent."""
    limits: tuple[dict[str, Any], ...]
    factors: tuple[dict[str, Any], ...] = ()
    """Of a factorial study: main effects and two-way interactions."""
    missing_runs: tuple[str, ...]
    notes: tuple[str, ...]
    cost_notes: tuple[str, ...]
    failed_clips: dict[str, str]
    tuning: TuningRecord | None = None
