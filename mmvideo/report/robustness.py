"""How scores fall with damaged input, of all runs measured by `mmvideo robustness`, as tidy tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.robustness import area, effective_robustness
from mmvideo.evaluation.simultaneous import compare_family
from mmvideo.evaluation.statistics import interval_for_arm, verdict
from mmvideo.evaluation.tasks import TASKS, Task
from mmvideo.records import RESULT, open_run
from mmvideo.report.afterwards import Measured, robustness_of
from mmvideo.report.given import of_study
from mmvideo.report.load import READ, load_study, read_clips, read_run
from mmvideo.report.runs import StudyRuns

CURVES = ("arm", "corruption", "severity", "level", "score", "low", "high", "n_seeds", "n_clips")
AREAS = (
    "arm", "corruption", "area", "area_low", "area_high", "drop", "drop_low", "drop_high",
    "effective", "effective_low", "effective_high", "severities",
)  # fmt: skip
PAIRS = (
    "corruption", "a", "b", "difference", "low", "high", "p", "adjusted_p", "verdict",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Robustness:
    """What was measured, as far as all seeds of an arm were."""

    curves: pd.DataFrame
    """A row for each `arm`, `corruption` and `severity`: the test `score` with its 95 % interval over seeds
    and groups of clips. Severity 0 is no damage; `level` is how strong the (first) damage is."""
    areas: pd.DataFrame
    """A row for each `arm` and `corruption`: `area` under the curve, `drop` from the clean score to the most
    severe, and `effective` robustness (see `mmvideo.evaluation.robustness`). Where scores are errors, a drop
    is their growth, and effective robustness above 0 still the better."""
    pairs: pd.DataFrame
    """Differences in area between arms, paired by seed and clip; intervals, p and verdicts hold for all
    of a corruption together."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Arm:
    """An arm's seeds: scores on clips as they are, (S, n), and damaged."""

    name: str
    clean: Float[ndarray, "S n"]
    runs: Sequence[Measured]
    fusing: bool = True
    damaged: dict[str, dict[int, tuple[float, ndarray]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for corruption, of in self.runs[0].items():
            shared = [s for s in sorted(of) if all(s in run.get(corruption, {}) for run in self.runs)]
            if shared:
                self.damaged[corruption] = {
                    s: (of[s].levels[0], np.array([run[corruption][s].scores for run in self.runs]))
                    for s in shared
                }

    def curve(self, corruption: str) -> Float[ndarray, "V S n"]:
        return np.stack([self.clean, *(scores for _, scores in self.damaged[corruption].values())])

    def whole(self, corruption: str) -> bool:
        """Whether it is measured at severities that follow upon each other from 1 on."""
        measured = list(self.damaged.get(corruption, ()))
        return bool(measured) and measured == list(range(1, len(measured) + 1))


@of_study
def robustness_frames(study: StudyRuns) -> Robustness:
    """What was measured of a study's arms. Records that cannot be read are left out, each with a note."""
    task = study.task
    read = [[robustness_of(run.directory, run.result) for run in arm.runs] for arm in study.arms]
    measured = [[found for found, _ in runs] for runs in read]
    notes = [note for runs in read for _, told in runs for note in told]
    mixed = _without_mixed([run for runs in measured for run in runs])
    arms = [
        _Arm(
            arm.name,
            task.clip_scores(arm.outputs, study.clips.labels).astype(float),
            runs,
            not arm.unimodal,
        )
        for arm, runs in zip(study.arms, measured, strict=True)
    ]
    found = _tables(arms, task, study.clips.units)
    return replace(found, notes=(*notes, *mixed, *found.notes))


def _without_mixed(runs: Sequence[Measured]) -> list[str]:
    """Take out the corruptions of which runs, or severities, have seen other draws than the rest; a note on
    each."""
    notes = []
    for corruption in dict.fromkeys(corruption for run in runs for corruption in run):
        records = [record for run in runs for record in run.get(corruption, {}).values()]
        if len(draws := sorted({(record.method, record.seed) for record in records})) > 1:
            for run in runs:
                run.pop(corruption, None)
            seeds = " and ".join(map(str, dict.fromkeys(seed for _, seed in draws)))
            notes.append(
                f"{corruption} is left out: it was measured with other draws of the damage in some runs or "
                f"severities than in others (--seed {seeds}; or by an earlier version). `mmvideo robustness "
                f"STUDY --kinds {corruption} --seed {draws[-1][1]}` measures what is to be the same."
            )
    return notes


def _tables(arms: Sequence[_Arm], task: Task, units: ndarray) -> Robustness:
    curves, areas, pairs = list[list[object]](), list[list[object]](), list[dict[str, object]]()
    for arm in arms:
        for corruption, of in arm.damaged.items():
            levels = {0: (0.0, arm.clean), **of}
            for severity, (level, scores) in levels.items():
                one = interval_for_arm(scores, units, limits=task.range)
                row = [arm.name, corruption, severity, level if severity else np.nan]
                curves.append([*row, one.mean, one.low, one.high, one.n_seeds, one.n_clips])
    names = dict.fromkeys(corruption for arm in arms for corruption in arm.damaged)
    notes = [
        f"{arm.name}: {corruption} was not measured at all severities up to its highest, so it has no area."
        for arm in arms
        for corruption in arm.damaged
        if not arm.whole(corruption)
    ]
    for corruption in names:
        among = [arm for arm in arms if arm.whole(corruption)]
        most = max((len(arm.damaged[corruption]) for arm in among), default=0)
        among = [arm for arm in among if len(arm.damaged[corruption]) == most]
        areas += _areas(among, corruption, task, units)
        pairs += _pairs([arm for arm in among if arm.fusing], corruption, task, units)
    return Robustness(
        pd.DataFrame(curves, columns=CURVES),
        pd.DataFrame(areas, columns=AREAS),
        pd.DataFrame(pairs, columns=PAIRS),
        tuple(notes),
    )


def _areas(arms: Sequence[_Arm], corruption: str, task: Task, units: ndarray) -> list[list[object]]:
    if not arms:
        return []
    sign = 1 if task.higher_is_better else -1
    under = [area(arm.curve(corruption)) for arm in arms]
    clean, below = sign * np.stack([arm.clean for arm in arms]), sign * np.stack(under)
    effective = effective_robustness(clean, below, units, share=task.range == (0, 1))
    width = task.range[1] - task.range[0]
    rows = []
    for arm, own, above in zip(arms, under, effective, strict=True):
        curve = arm.curve(corruption)
        of_area = interval_for_arm(own, units, limits=task.range)
        of_drop = interval_for_arm(sign * (curve[0] - curve[-1]), units, limits=(-width, width))
        spans = [(one.mean, one.low, one.high) for one in (of_area, of_drop)]
        rows.append([arm.name, corruption, *spans[0], *spans[1], *above, len(curve) - 1])
    return rows


def _pairs(arms: Sequence[_Arm], corruption: str, task: Task, units: ndarray) -> list[dict[str, object]]:
    names = list(combinations(range(len(arms)), 2))
    if not names:
        return []
    under = np.stack([area(arm.curve(corruption)) for arm in arms])
    tests = compare_family(under, names, units, limits=task.range)
    return [
        {
            "corruption": corruption, "a": arms[a].name, "b": arms[b].name,
            "difference": test.difference, "low": test.low, "high": test.high, "p": test.p,
            "adjusted_p": test.adjusted_p,
            "verdict": verdict(test, higher_is_better=task.higher_is_better),
        }
        for (a, b), test in zip(names, tests, strict=True)
    ]  # fmt: skip


def measured_in(place: Path) -> tuple[str, Robustness, MetricDisplay]:
    """Title, tables and wording of a study's folder, or of a single run's.

    Raises:
        InputError: a study that cannot be compared (see `load_study`), or a file that was changed.
    """
    if not (place / RESULT).is_file():
        study = load_study(place)
        return study.title, robustness_frames(study), study.task.display
    result = open_run(place, READ)
    clips, task = read_clips(place, result), TASKS[result.task]
    clean = task.clip_scores(read_run(place, result, clips).outputs, clips.labels).astype(float)
    measured, notes = robustness_of(place, result)
    mixed = _without_mixed([measured])
    found = _tables([_Arm(result.arm, clean[None], [measured])], task, clips.units)
    return place.name, replace(found, notes=(*notes, *mixed, *found.notes)), task.display


def as_text(found: Robustness, display: MetricDisplay) -> str:
    """Scores by severity and the area, a line for each arm and corruption, for a terminal."""
    scores = found.curves.assign(number=[display.value(score) for score in found.curves["score"]])
    order = ["corruption", "arm"]
    wide = scores.pivot_table(index=order, columns="severity", values="number", aggfunc="first", sort=False)
    spans: Mapping[str, tuple[str, bool]] = {
        "area": ("area", False),
        "drop": ("drop", True),
        "effective robustness": ("effective", True),
    }
    areas = found.areas.set_index(order)
    for title, (name, change) in spans.items():
        write = display.change if change else display.value
        wide[title] = [
            f"{write(row[name])} [{write(row[f'{name}_low'])}, {write(row[f'{name}_high'])}]"
            if pd.notna(row[name])
            else "–"
            for row in areas.reindex(wide.index).to_dict("records")
        ]
    return str(wide.fillna("").reset_index().to_string(index=False))
