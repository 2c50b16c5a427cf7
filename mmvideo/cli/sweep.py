"""`mmvideo sweep`: every arm of a study tuned over a space of one's own, then compared with fresh seeds."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated

import tyro

from mmvideo.cli.ablate import carry_out
from mmvideo.cli.options import split
from mmvideo.cli.study_options import StudyOptions, read_study
from mmvideo.errors import InputError, unknown
from mmvideo.files import digest_of
from mmvideo.runs.same_data import refuse_decoding_by
from mmvideo.schema import Option
from mmvideo.studies.space import Among, Sampler, Tuning, values_from
from mmvideo.studies.study import Study
from mmvideo.studies.sweep_file import write_sweeps
from mmvideo.studies.tuning import keys_of, refuse_given, trial_runs, with_setting

LEFT_OUT = {"--export": 1, "--workers": 1, "--out": 1, "--dry-run": 0}
"""Options that a single trial has no use for, with the number of words behind each."""


@dataclass
class Sweep(StudyOptions):
    """Tune every arm of a study, controls too, with the same number of trials, on validation; then train each
    arm's best with the study's own seeds, compare them and write tables, figures and a page.

    Options of the study's own stand behind `--`; `mmvideo sweep STUDY -- --help` explains them.
    """

    trials: int = 16
    """Of each arm. The first is the arm as it is."""
    space: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FIELD=VALUES …")] = ()
    """What is tried, any field: `train.learning_rate=log:1e-4..1e-2 width=64,128 dropout=0..0.5`; a range of
    whole numbers has whole ends. Not given: the study's own space, or learning rate, weight decay, width and
    dropout."""
    sampler: Sampler = "tpe"
    """`tpe`: after eight trials that are the same for all arms, each arm's own by its scores so far. `sobol`:
    the same trials for all, as `mmvideo ablate --tune`."""
    export: Path | None = None
    """Write a file for `wandb sweep` for each arm into this folder, and stop."""
    arm: str | None = None
    """Carry out one trial of this arm, as `wandb agent` asks for, and stop."""
    try_: Annotated[tuple[str, ...], tyro.conf.arg(name="try", metavar="FIELD=VALUE …")] = ()
    """The setting of that trial."""


def run(arguments: list[str]) -> int:
    """`mmvideo sweep STUDY [OPTIONS] [-- STUDY OPTIONS]`"""
    options, study = read_study(Sweep, "sweep", arguments, _tuning)
    if options.export is not None:
        own, of_study = split(arguments)
        for file in write_sweeps(study, options.export, ["mmvideo", "sweep", *_of_a_trial(own)], of_study):
            print(file)
        return 0
    if options.arm is not None and options.dry_run:
        raise InputError("--dry-run tells the plan of a whole sweep; a trial, --arm, is carried out.")
    if options.arm is not None:
        return _one_trial(study, options, options.arm)
    if options.try_:
        raise InputError("--try is the setting of one trial; name its arm with --arm.")
    return carry_out(study, options, f"mmvideo sweep {shlex.join(arguments)}")


def _tuning(options: Sweep, study: Study) -> Tuning:
    kept = study.tuning or Tuning()
    space = {field: values_from(values) for field, values in _assigned(options.space, "--space").items()}
    return Tuning(options.trials, space or kept.space, kept.seeds, options.sampler)


def _assigned(words: tuple[str, ...], flag: str) -> dict[str, str]:
    found = {}
    for word in words:
        field, given, text = word.partition("=")
        if not (field and given):
            raise InputError(f"{flag} takes field=value, such as width=64,128; got '{word}'.")
        found[field] = text
    return found


def _of_a_trial(own: list[str]) -> list[str]:
    """The arguments that a trial of an exported sweep has."""
    kept, words = list[str](), iter(own)
    for word in words:
        flag, equals, _ = word.partition("=")
        if flag not in LEFT_OUT:
            kept.append(word)
        elif not equals:
            for _ in range(LEFT_OUT[flag]):
                next(words, None)
    return kept


def _one_trial(study: Study, options: Sweep, name: str) -> int:
    """One trial, and what validation says of it: as JSON, and on the dashboard."""
    from mmvideo.data.opened import open_data
    from mmvideo.runs.tracking import open_tracker
    from mmvideo.runs.trial import run_trial
    from mmvideo.runs.trial_directory import TrialDirectory

    arms = {arm.name: arm for arm in study.arms}
    if name not in arms:
        raise unknown(f"arm of '{study.name}'", name, arms)
    setting = {field: _one(field, text) for field, text in _assigned(options.try_, "--try").items()}
    for field, value in setting.items():
        refuse_given(field)
        if not keys_of(arms[name].config, field):
            raise unknown("field to try", field, study.tuning.space if study.tuning else ())
        refuse_decoding_by(field, value, arms[name].config, with_setting(arms[name].config, {field: value}))
    root = options.root / study.name
    configs = trial_runs(study, arms[name], f"{name}-w{digest_of(setting)[:8]}", setting)
    found = []
    for config in configs:
        run_trial(config, root=root)
        found.append(TrialDirectory.locate(root, config, open_data(config).fingerprint))
    results = [trial.result() for trial in found]
    val = {key: mean(result.val[key] for result in results) for key in results[0].val}
    tracker = open_tracker(configs[0], found[0].path, found[0].signature)
    tracker.log({"split": "val", **val}, results[0].best_epoch)
    tracker.close()
    print(json.dumps({"study": study.name, "arm": name, "setting": setting, "val": val}))
    return 0


def _one(field: str, text: str) -> Option:
    """The single value that a trial sets a field to."""
    values = values_from(text)
    if not isinstance(values, Among) or len(values.values) != 1:
        raise InputError(f"--try sets {field} to one value; got '{text}'.")
    return values.values[0]
