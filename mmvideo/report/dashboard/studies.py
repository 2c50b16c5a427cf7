"""How far the studies of a folder are, and what their reports say."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import read_record
from mmvideo.records import CONFIG, RESULT
from mmvideo.report.dashboard.glances import Cache, ReportGlance, RunGlance
from mmvideo.report.dashboard.runs import RunState, held_files, run_state
from mmvideo.study_records import COMPARISON, STUDY, ArmRecord, StudyRecord

PAGE = "report.html"
NO_RECORD = "it has no study.json: single runs, or a study whose clips are still being decoded"
REMEDY = "Run the study again: that writes it anew, and trains nothing twice."


@dataclass(frozen=True)
class StudyState:
    """A study now."""

    folder: Path
    record: StudyRecord | None
    trouble: str
    """Why its record cannot be read; empty: it can."""
    runs: tuple[RunState, ...]
    report: ReportGlance | str | None
    """None: there is none yet. A text says why it cannot be read."""
    report_is_older: bool
    """Than the newest of its runs."""

    @property
    def counts(self) -> dict[str, int]:
        """How many of its runs are in which state."""
        return dict(Counter(run.state for run in self.runs))

    @property
    def seconds_left(self) -> float | None:
        """Of the runs that can still finish, as many at once as are being trained now; None: not known."""
        left = [run for run in self.runs if run.state not in ("finished", "damaged")]
        took: dict[str, list[float]] = {}
        for run in self.runs:
            if run.glance is not None:
                took.setdefault(run.arm, []).append(_seconds(run.folder, run.glance))
        if not left or not took:
            return None if left else 0.0
        of_arm = {arm: mean(seconds) for arm, seconds in took.items()}
        others = mean(of_arm.values())
        work = sum((1 - run.share) * of_arm.get(run.arm, others) for run in left)
        return work / max(1, sum(run.state in ("training", "unclear") for run in left))


def _seconds(folder: Path, glance: RunGlance) -> float:
    """From a run's beginning to its end, as its files were written: training, validation, test. Of one that
    was resumed or copied it is the training alone, if that is more."""
    began, ended = _written(folder / CONFIG), _written(folder / RESULT)
    return max(glance.costs.train_seconds, ended - began if began else 0.0)


class Studies:
    """The studies of a folder. What was read of them is kept until the files change."""

    def __init__(self, root: Path, reports: Path) -> None:
        self.root, self.reports = root, reports
        self._results = Cache(RunGlance.of)
        self._records = Cache(lambda folder: read_record(folder / STUDY, StudyRecord, REMEDY))
        self._reported = Cache(ReportGlance.of)

    def folders(self) -> list[Path]:
        """Those that hold a study or runs, by name."""
        if not self.root.is_dir():
            return []
        found = [path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(path for path in found if _holds_runs(path))

    def all(self) -> list[StudyState]:
        """The states of all of them."""
        held = held_files()
        return [self.state(folder, held) for folder in self.folders()]

    def state(self, folder: Path, held: frozenset[int] | None) -> StudyState:
        """The state of one; of a folder that cannot be read, the reason.

        Args:
            held: see `held_files`.
        """
        try:
            return self._state(folder, held)
        except OSError as error:
            return StudyState(folder, None, f"{folder} cannot be read: {error.strerror}.", (), None, False)

    def _state(self, folder: Path, held: frozenset[int] | None) -> StudyState:
        found = self._records.get(folder, STUDY)
        record = found if isinstance(found, StudyRecord) else None
        trouble = NO_RECORD if found is None else found if isinstance(found, str) else ""
        runs = tuple(
            run_state(path, arm, seed, self._results, held) for path, arm, seed in _wanted(folder, record)
        )
        report = self.reports / folder.name
        newest = max((_written(run.folder / RESULT) for run in runs if run.glance), default=0.0)
        return StudyState(
            folder,
            record,
            trouble,
            runs,
            self._reported.get(report, COMPARISON),
            _written(report / COMPARISON) < newest,
        )


def _holds_runs(folder: Path) -> bool:
    try:
        return os.path.lexists(folder / STUDY) or any(folder.glob(f"*/{CONFIG}"))
    except OSError:  # `state` tells why
        return True


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _wanted(folder: Path, record: StudyRecord | None) -> list[tuple[Path, str, int]]:
    """The study's runs, begun or not, with arm and seed; without a record, those that lie in its folder."""
    if record is not None and record.runs:
        inside = [name for name in record.runs if Path(name).name == name]
        return [(folder / name, *_arm_and_seed(name)) for name in inside]
    there = {
        _arm_and_seed(path.name): path
        for path in folder.iterdir()
        if (path / CONFIG).exists() and "-s" in path.name
    }
    wanted = [(arm.name, seed) for seed in record.seeds for arm in record.arms] if record else sorted(there)
    return [(there.get(run, folder / f"{run[0]}-s{run[1]}"), *run) for run in wanted]


def _arm_and_seed(name: str) -> tuple[str, int]:
    """Of a run's directory: see `mmvideo.records.run_name`."""
    arm, _, seed = name.rpartition("-")[0].rpartition("-s")
    return arm, int(seed) if seed.isdecimal() else -1


def leader_so_far(state: StudyState) -> tuple[str, list[RunGlance]] | None:
    """The fusion with the best validation score over the seeds that all fusions have finished."""
    if state.record is None:
        return None
    by_arm = finished_by_arm(state)
    fusions = [arm.name for arm in state.record.arms if _is_candidate(arm)]
    seeds = [s for s in state.record.seeds if all(s in by_arm.get(arm, {}) for arm in fusions)]
    if not fusions or not seeds:
        return None
    runs = {arm: [by_arm[arm][seed] for seed in seeds] for arm in fusions}
    task = TASKS[runs[fusions[0]][0].task]
    sign = 1 if task.higher_is_better else -1
    best = max(runs, key=lambda arm: sign * mean(run.val.get(task.score, 0.0) for run in runs[arm]))
    return best, runs[best]


def _is_candidate(arm: ArmRecord) -> bool:
    return arm.role == "fusion"


def finished_by_arm(state: StudyState) -> dict[str, dict[int, RunGlance]]:
    """Arm → seed → result, of the finished runs."""
    found: dict[str, dict[int, RunGlance]] = {}
    for run in state.runs:
        if run.glance is not None:
            found.setdefault(run.arm, {})[run.seed] = run.glance
    return found


def reported_leader(report: ReportGlance) -> Mapping[str, Any] | None:
    """The row of the report's table that validation picks."""
    rows: Sequence[Mapping[str, Any]] = [row for row in report.arms if row.get("arm") == report.leader]
    return rows[0] if rows else None
