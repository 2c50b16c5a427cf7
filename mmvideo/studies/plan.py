"""What a study still has to do, and about what it will take, told from records alone: no clip is read.

Time and memory are those of finished runs: of the same arm; else of runs anywhere in the root that read,
build and step the same, by their seconds an epoch; else those that the study's other arms take.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.files import read_record, read_rows
from mmvideo.records import METRICS, RESULT, MetricLine, RunResult, run_remedy
from mmvideo.runs.identity import signature
from mmvideo.runs.trial_directory import TRIAL
from mmvideo.studies.availability import restricted
from mmvideo.studies.study import Arm, Study
from mmvideo.studies.tuning import FOLDER
from mmvideo.vocabulary import counted

STEPPED = ("batch_size", "accumulate", "precision", "pad_to", "modality_dropout")
"""What of `train` a step's time depends on."""
UNKNOWN = "unknown until the first run"
LEFT_OUT = "training and validation; decoding, test and report come on top"


@dataclass(frozen=True)
class Measured:
    """What a run takes, as measured from finished ones."""

    seconds: float
    """Training and validation."""
    memory_mb: float
    runs: int
    of: str
    """Whose runs these were."""


@dataclass(frozen=True)
class Planned:
    """An arm's part of the plan."""

    arm: Arm
    done: tuple[int, ...]
    """Seeds whose run is finished."""
    measured: Measured | None
    trouble: str | None = None
    """Why its runs cannot be told, such as an earlier run that is not there."""


@dataclass(frozen=True)
class Plan:
    """What there is to do."""

    study: Study
    arms: tuple[Planned, ...]
    trials_done: int

    @property
    def left(self) -> int:
        return len(self.arms) * len(self.study.seeds) - sum(len(arm.done) for arm in self.arms)

    @cached_property
    def seconds(self) -> float | None:
        """Of all that is left, one run after the other; None where an arm has no measure."""
        found = [(len(self.study.seeds) - len(arm.done), arm.measured) for arm in self.arms]
        if any(runs and measured is None for runs, measured in found):
            return None
        return sum(runs * measured.seconds for runs, measured in found if measured)


def plan_of(study: Study, root: Path) -> Plan:
    """The plan of a study whose runs lie, or will lie, in `root`.

    Raises:
        InputError: a finished run's result was changed.
    """
    results = list(_finished(root))
    mine = [(folder, result) for folder, result in results if folder.parent.name == study.name]
    study = _as_found(study, [result for _, result in mine])
    alike = defaultdict[str, list[tuple[Path, RunResult]]](list)
    for folder, result in results:
        alike[_work(result.deciding)].append((folder, result))
    planned = [_planned(study, arm, mine, alike) for arm in study.arms]
    known = [one.measured for one in planned if one.measured]
    if known:
        others = Measured(
            mean(one.seconds for one in known),
            max(one.memory_mb for one in known),
            sum(one.runs for one in known),
            "of other arms",
        )
        planned = [Planned(one.arm, one.done, one.measured or others, one.trouble) for one in planned]
    tried = root / study.name / FOLDER
    return Plan(study, tuple(planned), len(list(tried.glob(f"*/{TRIAL}"))) if study.tuning else 0)


def _as_found(study: Study, finished: Iterable[RunResult]) -> Study:
    """The study without the modalities that its finished runs have found in no training clip."""
    patterns = {pattern for result in finished for pattern in result.train_presence}
    found = {modality for pattern in patterns for modality in pattern.split("+")}
    return restricted(study, {arm.name: found for arm in study.arms}) if found else study


def _planned(
    study: Study,
    arm: Arm,
    mine: Iterable[tuple[Path, RunResult]],
    alike: Mapping[str, list[tuple[Path, RunResult]]],
) -> Planned:
    from mmvideo.runs.warm_start import with_sources  # torch comes with it

    own, done = [], list[int]()
    try:
        config = with_sources(arm.config)
        for folder, result in mine:
            if result.arm == arm.name and result.seed in study.seeds:
                seeded = config.model_copy(update={"seed": result.seed})
                if study.tuning or signature(seeded, result.data_fingerprint) == result.signature:
                    own.append((folder, result))
                    done.append(result.seed)
    except InputError as error:
        return Planned(arm, (), None, str(error))
    if own:
        seconds, memory = mean(_seconds(*run) for run in own), max(r.costs.peak_memory_mb for _, r in own)
        return Planned(arm, tuple(sorted(set(done))), Measured(seconds, memory, len(own), "of its own"))
    found = alike.get(_work(config.deciding()), [])
    if not found:
        return Planned(arm, (), None)
    epoch = mean(_seconds(*run) / run[1].epochs for run in found)
    epochs = config.train.most_epochs(mean(result.steps / result.epochs for _, result in found))
    memory = max(result.costs.peak_memory_mb for _, result in found)
    return Planned(arm, (), Measured(epoch * epochs, memory, len(found), "like it"))


def _finished(root: Path) -> Iterable[tuple[Path, RunResult]]:
    for file in sorted(root.glob(f"*/*/{RESULT}")):
        yield file.parent, read_record(file, RunResult, run_remedy(file.parent))


def _seconds(folder: Path, result: RunResult) -> float:
    """Of training and of validation, where the run has logged that."""
    lines = read_rows(folder / METRICS, MetricLine, run_remedy(folder), torn=True)
    validated = [line.seconds for line in lines if line.split == "val"]
    before = any(line.split == "val" and line.seconds == line.training_seconds for line in lines)
    return result.costs.train_seconds + (0.0 if before else sum(validated))  # earlier: all of training's


def _work(deciding: Mapping[str, Any]) -> str:
    """What an epoch's time depends on: all but the seed and how long and fast is learnt."""
    train = {key: value for key, value in deciding["train"].items() if key in STEPPED}
    return json.dumps({**deciding, "seed": 0, "train": train}, sort_keys=True)


def plan_lines(plan: Plan, workers: int | None) -> list[str]:
    """The plan as a table, and what is left in a line.

    Args:
        workers: runs at once; None: not known beforehand.
    """
    study, seeds = plan.study, plan.study.seeds
    total = len(plan.arms) * len(seeds)
    heads = ["arm", *_columns(study), f"finished of {len(seeds)}", "a run", "memory", "measured on"]
    rows = [heads, *(_row(one, study) for one in plan.arms)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    lines = [
        f"{study.title}: {counted(len(plan.arms), 'arm')} × {counted(len(seeds), 'seed')} "
        f"({', '.join(map(str, seeds))}) = {counted(total, 'run')}, {total - plan.left} finished"
    ]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    lines += [f"{one.arm.name}: {one.trouble}" for one in plan.arms if one.trouble]
    lines.append(f"left: {counted(plan.left, 'run')}{_estimate(plan, workers)}")
    if study.tuning:
        tried = counted(plan.trials_done, "trial")
        lines.append(f"before that, tuning: {tried} finished; its time is not counted here")
    return lines


def _estimate(plan: Plan, workers: int | None) -> str:
    if not plan.left:
        return ""
    if plan.seconds is None:
        return f"; time and memory: {UNKNOWN}"
    memory = max(one.measured.memory_mb for one in plan.arms if one.measured)
    if workers is None:
        of_each = f"of computing and up to {memory / 1000:.1f} GB a run"
        return f", about {duration(plan.seconds)} {of_each} ({LEFT_OUT})"
    at_once = min(workers, plan.left)
    return (
        f", about {duration(plan.seconds / at_once)} with {counted(at_once, 'worker')} and up to "
        f"{memory * at_once / 1000:.1f} GB ({LEFT_OUT})"
    )


def _columns(study: Study) -> list[str]:
    """What arms are told apart by: the factors; or the configuration keys on the axes that differ."""
    factors = dict.fromkeys(factor for arm in study.arms for factor in arm.factors)
    if factors:
        return list(factors)
    flat = [_flat(arm.config) for arm in study.arms]
    keys = [key for key in flat[0] if any(key == axis or key.startswith(f"{axis}.") for axis in study.axes)]
    return [key for key in keys if len({json.dumps(one.get(key)) for one in flat}) > 1]


def _row(one: Planned, study: Study) -> list[str]:
    flat = _flat(one.arm.config)
    by_factor = any(arm.factors for arm in study.arms)
    values = [
        one.arm.factors.get(column, "") if by_factor else json.dumps(flat.get(column))
        for column in _columns(study)
    ]
    measured = one.measured
    cost = (
        ["unknown", "unknown", ""]
        if measured is None
        else [
            duration(measured.seconds),
            f"{measured.memory_mb:.0f} MB",
            f"{counted(measured.runs, 'run')} {measured.of}",
        ]
    )
    seeds = f" (seeds {', '.join(map(str, one.done))})" if one.done else ""
    return [one.arm.name, *values, f"{len(one.done)}{seeds}", *cost]


def _flat(config: RunConfig) -> dict[str, Any]:
    return flatten(config.model_dump(mode="json"))


def duration(seconds: float) -> str:
    """`41 s`, `12 min 3 s`, `3 h 20 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
