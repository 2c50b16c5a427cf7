"""A tuned comparison: every arm, controls too, gets the same trials, and goes on with its best on validation.

A trial is a run with a tuning seed that never sees the test split (see `mmvideo.runs.trial`). Trials stand in
`<root>/<study>/trials/`, named by their signatures, so that finished ones are reused.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmvideo.config import RunConfig, load_config
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError, unknown
from mmvideo.evaluation.budgets import choose, worth
from mmvideo.evaluation.tasks import TASKS, Task
from mmvideo.runs.same_data import refuse_decoding_by
from mmvideo.runs.trial_directory import TrialDirectory
from mmvideo.studies.engines.base import Engine
from mmvideo.studies.grid import carry_out
from mmvideo.studies.proposals import SHARED, proposals
from mmvideo.studies.space import trials
from mmvideo.studies.study import Arm, Study
from mmvideo.tuning_record import ArmTuning, Setting, TrialRow, TuningRecord, setting_text
from mmvideo.vocabulary import counted

FOLDER = "trials"
GIVEN, AROUND = ("study", "arm", "seed"), ("data.", "runtime.", "tracking.")
"""What is no setting of an arm: a trial's name and seed, which clips it is judged on, where it is run."""
NOT_TUNED = "Not tuned:"
"""How a note begins that says what was left out of a space."""


@dataclass(frozen=True)
class Trial:
    """One setting of one arm: a run for each tuning seed, or why there can be none."""

    arm: str
    number: int
    setting: Setting
    runs: tuple[tuple[RunConfig, TrialDirectory], ...]
    reason: str | None = None


def tunable(study: Study, fixed: Collection[str] = ()) -> Study:
    """The study with a space of what can be tuned in it; a note says what was left out.

    That is a field in which its arms differ, one that was `fixed` by hand, what decides a strategy's size
    where all are of one, and the width where encoders come from earlier runs.

    Raises:
        InputError: a name that no arm has or that is none to choose by validation, or nothing is left to
            tune.
    """
    if study.tuning is None:
        return study
    out: dict[str, str] = {}
    for name in study.tuning.space:
        refuse_given(name)
        keys = {key for arm in study.arms for key in keys_of(arm.config, name)}
        if not keys:
            known = {key for arm in study.arms for key in flatten(arm.config.model_dump(mode="json"))}
            raise unknown("field to tune", name, known)
        refuse_impossible(study, name)
        if keys & set(fixed):
            out[name] = "it is set"
        elif _arms_differ(study, name):
            out[name] = "arms differ in it"
        elif study.same_size_as and _resizes(study, name):
            out[name] = "strategies are of one size"
        elif name == "width" and any(arm.config.encoders_from for arm in study.arms):
            out[name] = "encoders come from earlier runs"
    if not out:
        return study
    space = {name: values for name, values in study.tuning.space.items() if name not in out}
    told = "; ".join(f"{name} ({why})" for name, why in out.items())
    if not space:
        raise InputError(f"Nothing of '{study.name}' can be tuned: {told}. Tune something else, or nothing.")
    tuning = replace(study.tuning, space=space)
    return replace(study, tuning=tuning, notes=(*study.notes, f"{NOT_TUNED} {told}."))


def refuse_given(name: str) -> None:
    """
    Raises:
        InputError: a field that is no setting of an arm.
    """
    if name in GIVEN or name.startswith(AROUND):
        raise InputError(
            f"'{name}' is not tuned: validation can choose among ways to train on the same clips, not among "
            "names, seeds, data or machines. Leave it out of the space."
        )


def refuse_impossible(study: Study, name: str) -> None:
    """
    Raises:
        InputError: a value to try, or an end of a range, that no arm can have, or for which clips are decoded
            in another way. What only some cannot have is a failed trial of theirs.
    """
    assert study.tuning is not None
    values = study.tuning.space[name]
    having = [arm.config for arm in study.arms if keys_of(arm.config, name)]
    for value in values.extremes:
        reasons = []
        for config in having:
            try:
                tried = with_setting(config, {name: value})
            except InputError as error:
                reasons.append(str(error))
            else:
                refuse_decoding_by(name, value, config, tried)
        if len(reasons) == len(having):
            raise InputError(f"'{name}' cannot be tuned over {values}: no arm can have {value}. {reasons[0]}")


def keys_of(config: RunConfig, name: str) -> list[str]:
    """The dotted keys that a name of a space stands for in a configuration; none, if it has no such field."""
    flat = flatten(config.model_dump(mode="json"))
    if name in flat:
        return [name]
    unread = tuple(f"inputs.{given}." for given in config.inputs if given not in config.modalities)
    return [key for key in flat if key.endswith(f".options.{name}") and not key.startswith(unread)]


def _arms_differ(study: Study, name: str) -> bool:
    """Whether arms that have the same component, or the field itself, have other values there."""
    values = defaultdict[tuple[str, Any], set[str]](set)
    for arm in study.arms:
        flat = flatten(arm.config.model_dump(mode="json"))
        for key in keys_of(arm.config, name):
            component = flat.get(f"{key.partition('.options.')[0]}.name")
            values[key, component].add(json.dumps(flat[key]))
    return any(len(found) > 1 for found in values.values())


def _resizes(study: Study, name: str) -> bool:
    """Whether strategies that are of one size no longer would be, were this set."""
    from mmvideo.studies.parity import fusion_parameters

    assert study.tuning is not None
    values = study.tuning.space[name]
    for arm in (arm for arm in study.arms if arm.role == "fusion"):
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            try:
                changed = with_setting(arm.config, {name: values.at(share)})
            except InputError:
                continue  # it will be a failed trial
            if fusion_parameters(changed) != fusion_parameters(arm.config):
                return True
    return False


def with_setting(config: RunConfig, setting: Setting) -> RunConfig:
    """The configuration as a trial has it.

    Raises:
        InputError: a component cannot be so.
    """
    record = config.model_dump(mode="json")
    for name, value in setting.items():
        for key in keys_of(config, name):
            *path, last = key.split(".")
            section = record
            for step in path:
                section = section[step]
            section[last] = value
    return load_config(json.dumps(record), f"arm '{config.arm}' with {setting_text(setting)}")


def plan_text(study: Study) -> list[str]:
    """What tuning will do, in lines: how many trials, the settings, and what was left out of the space."""
    assert study.tuning is not None
    tuning = study.tuning
    given = [(len(study.arms), "arm"), (tuning.trials, "trial"), (len(tuning.seeds), "tuning seed")]
    runs = math.prod(number for number, _ in given)
    budget = " × ".join(counted(number, what) for number, what in given)
    shared = tuning.trials if tuning.sampler == "sobol" else min(SHARED, tuning.trials)
    lines = [
        f"tuned first, on validation: {budget} = {counted(runs, 'run')}, every arm with these settings:",
        *(f"  trial {n}  {setting_text(setting)}" for n, setting in enumerate(trials(tuning.space, shared))),
    ]
    if shared < tuning.trials:
        lines.append(f"  trials {shared} to {tuning.trials - 1}  each arm's own, by TPE on its scores so far")
    return [*lines, *(f"  {told}" for told in study.notes if told.startswith(NOT_TUNED))]


def tune(
    study: Study,
    run_one: Callable[[RunConfig], bool],
    *,
    root: Path,
    data_fingerprint: str,
    workers: int | None = None,
    engine: Engine | None = None,
) -> tuple[Study, dict[str, str]]:
    """The study with every arm as its best trial had it, and the arms of which every trial failed, with the
    last reason.

    Args:
        run_one: carries out one trial under `<root>/<study>`; see `mmvideo.studies.grid.run_grid`.
        data_fingerprint: names the content of the data.
        engine: where trials are carried out, as in `run_grid`.

    Raises:
        InputError: fewer than one worker, or a trial whose files were changed since.
    """
    assert study.tuning is not None
    tasks = {arm.name: TASKS[arm.config.data.task] for arm in study.arms}
    found: dict[str, tuple[TrialRow, ...]] = {arm.name: () for arm in study.arms}

    def next_round() -> list[Trial]:
        given = (root, data_fingerprint)
        return [trial for arm in study.arms for trial in _planned(study, arm, found[arm.name], *given)]

    while planned := next_round():
        _, failures = carry_out([run for trial in planned for run in trial.runs], run_one, workers, engine)
        reasons = {failure.label: failure.reason for failure in failures}
        for trial in planned:
            found[trial.arm] = (*found[trial.arm], _row(trial, tasks[trial.arm], reasons))
    arms, tuned, failed = list[Arm](), list[ArmTuning](), dict[str, str]()
    for arm in study.arms:
        rows = found[arm.name]
        best = choose(rows, tasks[arm.name], arm.config.train.select)
        tuned.append(ArmTuning(arm=arm.name, trials=rows, chosen=best))
        if best is None:
            failed[arm.name] = f"all {counted(len(rows), 'trial')} failed; the last: {rows[-1].reason}"
            arms.append(arm)
        else:
            arms.append(replace(arm, config=with_setting(arm.config, rows[best].setting)))
    record = TuningRecord(
        trials=study.tuning.trials,
        seeds=study.tuning.seeds,
        space={name: str(values) for name, values in study.tuning.space.items()},
        sampler=study.tuning.sampler,
        arms=tuple(tuned),
    )
    return replace(study, arms=tuple(arms), axes=_with_tuned(study), tuned=record), failed


def _planned(
    study: Study, arm: Arm, rows: Sequence[TrialRow], root: Path, data_fingerprint: str
) -> list[Trial]:
    """The arm's next round; none once its budget is spent."""
    assert study.tuning is not None
    task, found = TASKS[arm.config.data.task], []
    values = [worth(row, task, arm.config.train.select) for row in rows]
    for number, setting in enumerate(proposals(study.tuning, rows, values), start=len(rows)):
        try:
            runs = trial_runs(study, arm, f"{arm.name}-t{number}", setting)
            located = [TrialDirectory.locate(root / study.name, one, data_fingerprint) for one in runs]
            found.append(Trial(arm.name, number, setting, tuple(zip(runs, located, strict=True))))
        except InputError as error:
            found.append(Trial(arm.name, number, setting, (), str(error)))
    return found


def trial_runs(study: Study, arm: Arm, name: str, setting: Setting) -> list[RunConfig]:
    """An arm with a setting, once for each tuning seed.

    Raises:
        InputError: a component cannot be so.
    """
    assert study.tuning is not None
    changed = with_setting(arm.config, setting)
    named = {"study": FOLDER, "arm": name}
    return [changed.model_copy(update={**named, "seed": seed}) for seed in study.tuning.seeds]


def _row(trial: Trial, task: Task, reasons: Mapping[str, str]) -> TrialRow:
    """What came of a trial: means over its seeds, or why one of them has nothing."""
    results = [run.result() for _, run in trial.runs if run.finished]
    reason = trial.reason or next((result.reason for result in results if result.reason), None)
    for config, run in trial.runs:
        if reason is None and not run.finished:
            reason = reasons.get(config.label, "it did not finish")
    seconds = sum(result.seconds for result in results)
    if reason is not None:
        return TrialRow(setting=trial.setting, seconds=seconds, reason=reason)
    score, loss = (float(np.mean([result.val[key] for result in results])) for key in (task.score, "loss"))
    return TrialRow(setting=trial.setting, score=score, loss=loss, seconds=seconds)


def _with_tuned(study: Study) -> tuple[str, ...]:
    """The axes, with the keys in which arms may differ once each has its own best setting."""
    assert study.tuning is not None
    keys = dict.fromkeys(
        key for name in study.tuning.space for arm in study.arms for key in keys_of(arm.config, name)
    )
    covered = [key for key in keys if any(key == axis or key.startswith(f"{axis}.") for axis in study.axes)]
    return (*study.axes, *(key for key in keys if key not in covered))
