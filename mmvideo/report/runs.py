"""A study's finished runs, as far as it has run: what a comparison is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.floor_record import FloorRecord
from mmvideo.evaluation.tasks import TASKS, Task
from mmvideo.records import Environment, RunResult
from mmvideo.tuning_record import TuningRecord
from mmvideo.vocabulary import TaskKind


@dataclass(frozen=True)
class Clips:
    """What is the same for every run of a study: the test clips, in the order of their ids."""

    ids: tuple[str, ...]
    groups: ndarray  # (n,) str
    labels: Shaped[ndarray, "n ..."]
    """Class numbers (n,); 0 and 1 per class (n, C); or numbers (n,)."""
    classes: tuple[str, ...]
    task: TaskKind = "single_label"

    @cached_property
    def n_groups(self) -> int:
        return len(np.unique(self.groups))

    @property
    def units(self) -> ndarray:
        """What intervals are over, (n,) str: the groups; or the clips, where all are of a single group."""
        return self.units_among(np.ones(len(self.ids), dtype=bool))

    def units_among(self, chosen: Bool[ndarray, " n"]) -> ndarray:
        """The same for some of the clips, whose groups may be fewer."""
        groups = self.groups[chosen]
        return groups if len(np.unique(groups)) > 1 else np.array(self.ids)[chosen]

    @property
    def over(self) -> str:
        """What intervals are over, in words."""
        return "clips, which are all of one group" if self.n_groups == 1 else "groups of clips"


@dataclass(frozen=True, eq=False)
class Validation:
    """A run's predictions on validation."""

    outputs: Float[ndarray, "n C"]
    labels: Shaped[ndarray, "n ..."]
    present: dict[str, Bool[ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """One finished run."""

    directory: Path
    result: RunResult
    environment: Environment
    curve: pd.DataFrame
    """metrics.jsonl: a row per line (epoch, step, split, loss, the task's score, seconds,
    training_seconds, learning_rate)."""
    outputs: Float[ndarray, "n C"]
    """On the test clips, in the order of `Clips.ids` (see mmvideo.evaluation.tasks)."""
    present: dict[str, Bool[ndarray, " n"]]
    """For each modality that the run or a test clip has: which of the clips have it."""
    validation: Validation | None = None
    """None: the data has no validation clips."""


@dataclass(frozen=True, eq=False)
class ArmRuns:
    """A study's runs that differ only in seed, in the order of the study's seeds."""

    name: str
    role: str
    runs: tuple[FinishedRun, ...]
    factors: Mapping[str, str] = field(default_factory=dict)
    """In a study made of axes: factor → its level. Of a control those that change what it does alone."""

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.runs[0].result.modalities

    @property
    def unimodal(self) -> bool:
        return len(self.modalities) == 1

    @property
    def task(self) -> Task:
        return TASKS[self.runs[0].result.task]

    @cached_property
    def validation_score(self) -> float:
        """The task's primary metric on validation, mean over the seeds."""
        return float(np.mean([run.result.val[self.task.score] for run in self.runs]))

    @property
    def rank(self) -> float:
        """What to choose the best arm by, on validation: higher is better, whatever the task."""
        return self.validation_score if self.task.higher_is_better else -self.validation_score

    def validation_curve(self) -> pd.DataFrame:
        """Validation score by epoch: `mean`, `low` and `high` (least, most over the seeds), and the mean
        `seconds` of training. Only epochs that every seed reached, so that all points rest on all seeds.
        """
        lines = pd.concat([run.curve[run.curve["split"] == "val"] for run in self.runs])
        epochs = lines.groupby("epoch").agg(
            mean=(self.task.score, "mean"),
            low=(self.task.score, "min"),
            high=(self.task.score, "max"),
            seconds=("training_seconds", "mean"),
            n=(self.task.score, "size"),
        )
        return epochs[epochs["n"] == len(self.runs)].reset_index()

    def chosen(self) -> pd.DataFrame:
        """Each run's chosen `epoch`, the `seconds` of training until then, and its validation `score`."""
        rows = []
        for run in self.runs:
            val = run.curve[(run.curve["split"] == "val") & (run.curve["epoch"] == run.result.best_epoch)]
            rows.append(val[["epoch", "training_seconds", self.task.score]])
        return pd.concat(rows).set_axis(["epoch", "seconds", "score"], axis=1)

    @cached_property
    def outputs(self) -> Float[ndarray, "S n C"]:
        return np.stack([run.outputs for run in self.runs])


@dataclass(frozen=True, eq=False)
class StudyRuns:
    """A study as far as it has run."""

    name: str
    title: str
    axes: tuple[str, ...]
    seeds: tuple[int, ...]
    limits: dict[str, Any] | None
    arms: tuple[ArmRuns, ...]
    """The arms with all their seeds; only these are compared."""
    missing: tuple[str, ...]
    """`arm-s<seed>` of runs that are not finished."""
    left_out: tuple[str, ...]
    """Arms with some but not all of their seeds, or with none."""
    unlisted: tuple[str, ...]
    """Finished runs of arms or seeds that the study does not have."""
    clips: Clips
    notes: tuple[str, ...] = ()
    """What is to be known of the study as it was carried out."""
    floors: tuple[FloorRecord, ...] = ()
    """Those of its data, for each seed, in their order; empty: they were not made."""
    tuning: TuningRecord | None = None
    """How its arms' settings were chosen; None: they were given."""
    command: str = ""
    """What made it; empty where that is not known."""

    @property
    def task(self) -> Task:
        """How the runs' outputs are judged."""
        return TASKS[self.clips.task]

    @property
    def sample(self) -> str:
        """How much was measured: test clips, the groups they come in, and seeds."""
        clips, groups = len(self.clips.ids), self.clips.n_groups
        return (
            f"{_counted(clips, 'clip')} in {_counted(groups, 'group')}, {_counted(len(self.seeds), 'seed')}"
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """All modalities of its arms, in the order of the arms with the most."""
        widest_first = sorted(self.arms, key=lambda arm: -len(arm.modalities))
        return tuple(dict.fromkeys(m for arm in widest_first for m in arm.modalities))

    @property
    def n_runs(self) -> int:
        """Finished and missing runs of the study."""
        return (len(self.arms) + len(self.left_out)) * len(self.seeds)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
