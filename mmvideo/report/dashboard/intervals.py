"""Each arm's score with its interval, from the runs that have finished so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from mmvideo.evaluation.statistics import ArmInterval, interval_for_arm
from mmvideo.evaluation.tasks import TASKS
from mmvideo.records import RESULT
from mmvideo.report.dashboard.glances import Cache
from mmvideo.report.dashboard.studies import StudyState
from mmvideo.report.load import read_scores
from mmvideo.report.runs import Clips

Read = tuple[Clips, ndarray]


@dataclass(frozen=True)
class ArmSoFar:
    """An arm's test score after its first, its first two … finished seeds."""

    arm: str
    role: str
    wanted: int
    """Seeds of the study."""
    steps: tuple[ArmInterval, ...]
    over: str
    """What intervals are over beside seeds, in the report's words."""

    @property
    def now(self) -> ArmInterval | None:
        return self.steps[-1] if self.steps else None


class Intervals:
    """Intervals of the studies that are looked at. Predictions are read once, unless a result changes."""

    def __init__(self) -> None:
        self._read: Cache[Read] = Cache(read_scores)
        self._steps: dict[tuple[Path, ...], tuple[list[ndarray], tuple[ArmInterval, ...]]] = {}

    def of(self, state: StudyState) -> tuple[list[ArmSoFar], list[str]]:
        """Every arm, and what kept a run out."""
        if state.record is None:
            return [], []
        arms, troubles = [], []
        first: Clips | None = None
        for arm in state.record.arms:
            runs = [run for run in state.runs if run.arm == arm.name and run.glance is not None]
            kept: dict[Path, Read] = {}
            for run in runs:
                found = self._read.get(run.folder, RESULT)
                if isinstance(found, tuple):
                    first = first or found[0]
                    if found[0].ids == first.ids and found[0].task == first.task:
                        kept[run.folder] = found
                        continue
                    found = f"{run.folder.name} was tested on other clips than the rest of its study."
                troubles.append(found or f"{run.folder.name} is gone.")
            steps = self._steps_of(tuple(kept), [scores for _, scores in kept.values()], first)
            over = first.over if first else ""
            arms.append(ArmSoFar(arm.name, arm.role, len(state.record.seeds), steps, over))
        return arms, troubles

    def _steps_of(
        self, runs: tuple[Path, ...], scores: list[ndarray], clips: Clips | None
    ) -> tuple[ArmInterval, ...]:
        if clips is None or len(clips.ids) < 2:
            return ()
        kept = self._steps.get(runs)
        if kept is None or any(old is not new for old, new in zip(kept[0], scores, strict=True)):
            limits, units = TASKS[clips.task].range, clips.units
            steps = tuple(
                interval_for_arm(np.stack(scores[: n + 1]), units, limits=limits) for n in range(len(scores))
            )
            kept = self._steps[runs] = scores, steps
        return kept[1]
