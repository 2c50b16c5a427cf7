"""`mmvideo ablate`: a whole study, from its file to its report."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mmvideo.cli.compare import keep_floor, mirror, report
from mmvideo.cli.study_options import StudyOptions, read_study
from mmvideo.errors import InputError
from mmvideo.files import locked, make_folder
from mmvideo.runs.same_data import refuse_other_decoding
from mmvideo.runs.torchrun import refuse_torchrun
from mmvideo.studies.availability import refuse_missing, restricted
from mmvideo.studies.grid import run_grid
from mmvideo.studies.plan import duration, plan_lines, plan_of
from mmvideo.studies.space import Tuning
from mmvideo.studies.study import Study
from mmvideo.studies.tuning import plan_text, tune
from mmvideo.terminal import note
from mmvideo.tuning_record import choices
from mmvideo.vocabulary import counted

if TYPE_CHECKING:
    from mmvideo.config import RunConfig


AT_DATA = (
    "Decided when the clips are read: a modality that no training clip has leaves all arms, and arms of "
    "nothing else go."
)


@dataclass
class Ablate(StudyOptions):
    """Carry out a study: run what is missing, compare the arms, write tables, figures and a page.

    Options of the study's own stand behind `--`; `mmvideo ablate STUDY -- --help` explains them.
    """

    tune: int | None = None
    """Trials that every arm gets on validation before it is run, over learning rate, weight decay, width and
    dropout: the same for all, controls too. 0: none, each arm is run as it is; None: the study's own."""


def ablate(arguments: list[str]) -> int:
    """`mmvideo ablate STUDY [OPTIONS] [-- STUDY OPTIONS]`"""
    options, study = read_study(Ablate, "ablate", arguments, _tuning)
    return carry_out(study, options, f"mmvideo ablate {shlex.join(arguments)}")


def _tuning(options: Ablate, study: Study) -> Tuning | None:
    if options.tune is None:
        return study.tuning
    return dataclasses.replace(study.tuning or Tuning(), trials=options.tune) if options.tune else None


def carry_out(study: Study, options: StudyOptions, command: str) -> int:
    """Run what is missing of a study and report on it, or print the plan; the command's exit code.

    Args:
        command: what makes the study again, for its record and report.

    Raises:
        InputError: a folder that cannot be written to, or data that cannot be read or compared on.
    """
    from mmvideo.runs.own_components import check_own_components

    refuse_torchrun("a study")
    began, engine = time.monotonic(), options.chosen_engine.build()
    if options.dry_run:
        print(_plan(study, options))
        refuse_missing(study)
        refuse_other_decoding(study.name, [(arm.name, arm.config) for arm in study.arms])
        engine.check()
        return 0
    engine.check()
    study = dataclasses.replace(study, command=command)
    make_folder(options.root)  # before the study's data are decoded, not after
    make_folder(options.out, "--out")
    for arm in study.arms:
        check_own_components(arm.config, options.root)
    fingerprint, available = _opened(study)
    study.refuse_other_data(options.root, fingerprint)
    study = _carried_out(study, available)
    from mmvideo.runs.execute import train_missing

    at: dict[str, Any] = {"workers": options.workers, "engine": engine}
    where: dict[str, Any] = {"root": options.root, "data_fingerprint": fingerprint, **at}
    study, failed = _tuned(study, where)
    print(f"{study.title}: {counted(len(study.arms), 'arm')} × {counted(len(study.seeds), 'seed')}")
    grid = run_grid(study, partial(train_missing, root=options.root), refused=failed, **where)
    print(grid.summary(), file=sys.stderr if grid.failures else sys.stdout)
    if grid.trained + grid.reused:
        busy = f"Another process is writing the report of '{study.name}'; waiting for it."
        with locked(options.out / study.name, busy):
            keep_floor(study, grid.folder)
            comparison, changed = report(grid.folder, options.out, command, keep=not grid.trained)
            if changed:
                mirror(comparison, study, grid.folder, options.out, command)
    print(f"total time: {duration(time.monotonic() - began)}")
    return 1 if grid.failures else 0


def _sized(study: Study) -> Study:
    if study.same_size_as is None:
        return study
    from mmvideo.studies.parity import sized

    return sized(study)


def _plan(study: Study, options: StudyOptions) -> str:
    """What there is to do, without reading a clip."""
    study = _sized(study)
    chosen = options.chosen_engine
    workers = chosen.build().at_once(study.arms[0].config, options.workers)
    told = json.dumps(chosen.options.model_dump(mode="json", exclude_defaults=True))
    lines = plan_lines(plan_of(study, options.root), workers)
    lines.append(f"engine: {chosen.name}{'' if told == '{}' else f' {told}'}")
    return "\n".join([*lines, *(plan_text(study) if study.tuning else []), AT_DATA])


def _opened(study: Study) -> tuple[str, Mapping[str, Collection[str]]]:
    """Decode what is not stored yet; what names the content of the data, and each arm's available modalities.

    Raises:
        InputError: the arms read different data.
    """
    from mmvideo.data.opened import open_data
    from mmvideo.data.run_data import available_modalities

    refuse_other_decoding(study.name, [(arm.name, arm.config) for arm in study.arms])
    fingerprints = {open_data(arm.config, progress=True).fingerprint for arm in study.arms}
    if len(fingerprints) > 1:
        raise InputError(
            f"The arms of '{study.name}' read different data, so their runs cannot be compared clip by clip. "
            "Give all arms the same data.manifest."
        )
    available = {arm.name: available_modalities(arm.config, progress=True) for arm in study.arms}
    first = study.arms[0]  # without the modalities of which `restricted` tells
    _tell_of_data(first.config.model_copy(update={"modalities": tuple(available[first.name])}))
    return fingerprints.pop(), available


def _tell_of_data(config: RunConfig) -> None:
    """Print what is to be known before hours of training.

    Raises:
        InputError: what would end them without a table.
    """
    from mmvideo.data.content import content_of
    from mmvideo.data.opened import open_data

    content = content_of(config, open_data(config, progress=True))
    if content.splits["test"].clips < 2:
        raise InputError(
            f"{config.data.manifest}: one test clip can be read, and of one no interval can be given, so no "
            "arms can be compared. Give the test split more clips; `mmvideo train` trains on these."
        )
    for notice in content.notices:
        note(notice)


def _carried_out(study: Study, available: Mapping[str, Collection[str]]) -> Study:
    """The study with the modalities that the data have, and the runs it starts from found."""
    from mmvideo.runs.warm_start import with_sources

    told = len(study.notes)
    study = restricted(study, available)
    for added in study.notes[told:]:
        note(added)
    arms = [dataclasses.replace(arm, config=with_sources(arm.config)) for arm in _sized(study).arms]
    return dataclasses.replace(study, arms=tuple(arms))


def _tuned(study: Study, where: dict[str, Any]) -> tuple[Study, dict[str, str]]:
    """The study with each arm as its best trial had it, and the arms that have none."""
    if study.tuning is None:
        return study, {}
    from mmvideo.runs.trial import run_trial

    print("\n".join([f"{study.title}:", *plan_text(study)]))
    study, failed = tune(study, partial(run_trial, root=where["root"] / study.name), **where)
    assert study.tuned is not None
    for line in choices(study.tuned):
        print(line)
    return study, failed
