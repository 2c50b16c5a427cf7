"""`mmvideo ablate` and `mmvideo compare`: a whole study, from its file to its report."""

from __future__ import annotations

import dataclasses
import inspect
import json
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mmvideo.cli.options import first_positional, parse, split
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.evaluation.floor_record import floor_file
from mmvideo.files import locked, make_folder, write_whole
from mmvideo.runs.tracking import log_study, offline_hint
from mmvideo.studies.availability import refuse_missing, restricted
from mmvideo.studies.grid import run_grid
from mmvideo.studies.loading import load_function, load_study
from mmvideo.studies.overrides import overridden
from mmvideo.studies.space import Tuning
from mmvideo.studies.study import Study
from mmvideo.studies.tuning import plan_text, tunable, tune
from mmvideo.terminal import note
from mmvideo.tuning_record import choices
from mmvideo.vocabulary import counted
from mmvideo.workers import check_workers

if TYPE_CHECKING:
    from mmvideo.config import RunConfig
    from mmvideo.report import Comparison


AT_DATA = (
    "Decided when the clips are read: a modality that no training clip has leaves all arms, and arms of "
    "nothing else go."
)


@dataclass
class Ablate:
    """Carry out a study: run what is missing, compare the arms, write tables, figures and a page.

    Options of the study's own stand behind `--`; `mmvideo ablate STUDY -- --help` explains them.
    """

    study: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STUDY")]
    """A function that returns a Study, as path/to/file.py:function or package.module:function; `study` if
    only the file or module is given."""
    name: str | None = None
    """What the study is called: its folder of runs and of reports. None: by its base and data."""
    seeds: tuple[int, ...] | None = None
    """Seeds each arm is run with; None: the study's own."""
    overrides: Annotated[
        tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]],
        tyro.conf.arg(name="set", metavar="FIELD=VALUE …"),
    ] = ()
    """Fields of every arm's configuration, such as `train.epochs=40 data.frame_rate=8`; may be repeated."""
    tune: int | None = None
    """Trials that every arm gets on validation before it is run, over learning rate, weight decay, width and
    dropout: the same for all, controls too. 0: none, each arm is run as it is; None: the study's own."""
    workers: int | None = None
    """Runs at once; None: one on a GPU, else as many as the cores allow."""
    root: Path = Path("runs")
    """Folder of run directories."""
    out: Path = Path("reports")
    """Folder of reports; the study's own is made in it."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """List the runs and what they differ in, and stop. Files that they name and that are not there are
    told; none is read."""


def ablate(arguments: list[str]) -> int:
    """`mmvideo ablate STUDY [OPTIONS] [-- STUDY OPTIONS]`"""
    from mmvideo.runs.own_components import check_own_components

    began = time.monotonic()
    own, of_study = split(arguments)
    with _sides(own, of_study):
        options = parse(Ablate, "ablate", own)
    check_workers(options.workers)
    with _sides(own, of_study):
        study = _study(options, of_study)
    if options.dry_run:
        print(f"{_list(_sized(study))}\n{AT_DATA}")
        refuse_missing(study)
        return 0
    make_folder(options.root)  # before the study's data are decoded, not after
    make_folder(options.out, "--out")
    for arm in study.arms:
        check_own_components(arm.config, options.root)
    fingerprint, available = _opened(study)
    study.refuse_other_data(options.root, fingerprint)
    study = _carried_out(study, available)
    from mmvideo.runs.execute import train_missing

    where: Any = {"root": options.root, "data_fingerprint": fingerprint, "workers": options.workers}
    study, failed = _tuned(study, where)
    print(f"{study.title}: {counted(len(study.arms), 'arm')} × {counted(len(study.seeds), 'seed')}")
    report = run_grid(study, partial(train_missing, root=options.root), refused=failed, **where)
    print(report.summary(), file=sys.stderr if report.failures else sys.stdout)
    if report.trained + report.reused:
        command = f"mmvideo ablate {shlex.join(arguments)}"
        busy = f"Another process is writing the report of '{study.name}'; waiting for it."
        with locked(options.out / study.name, busy):
            _keep_floor(study, report.folder)
            comparison, changed = _report(report.folder, options.out, command, keep=not report.trained)
            if changed:
                _mirror(comparison, study, report.folder, options.out)
    print(f"total time: {_duration(time.monotonic() - began)}")
    return 1 if report.failures else 0


@dataclass
class Compare:
    """Compare the finished runs of studies again, and write their reports. Nothing is trained."""

    study_dirs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="STUDY_DIR …")]
    """Folders of studies, such as runs/mixed."""
    out: Path = Path("reports")
    """Folder of reports; each study's own is made in it."""


def compare(arguments: list[str]) -> int:
    """`mmvideo compare STUDY_DIR … [OPTIONS]`"""
    options = parse(Compare, "compare", arguments)
    if not options.study_dirs:
        raise InputError("compare needs at least one study's folder, such as runs/mixed.")
    for folder in options.study_dirs:
        named = folder.resolve() if folder.name in ("", "..") else folder  # the report's folder is called so
        _report(named, options.out, f"mmvideo compare {shlex.join(arguments)}")
    return 0


@contextmanager
def _sides(own: list[str], of_study: list[str]) -> Iterator[None]:
    """Where flags are refused, say on which side of `--` they belong."""
    try:
        yield
    except SystemExit as end:
        if end.code == 2:
            print(f"mmvideo: {_misplaced(own, of_study)}", file=sys.stderr)
        raise


def _misplaced(own: list[str], of_study: list[str]) -> str:
    rule = "Options of `mmvideo ablate` stand before `--`, those of the study behind it"
    study = first_positional(own)
    flags = {"set" if field.name == "overrides" else field.name for field in dataclasses.fields(Ablate)}
    try:
        function = load_function(study, "study") if study else None
    except InputError:
        function = None
    theirs = set(inspect.signature(function).parameters) if function else set[str]()

    def named(arguments: list[str], others: set[str]) -> list[str]:
        words = [word.partition("=")[0] for word in arguments if word.startswith("--")]
        return [word for word in words if word[2:].replace("-", "_") in others]

    behind, before = named(own, theirs - flags), named(of_study, flags - theirs)
    told = [f"{', '.join(behind)}: of the study, behind it"] if behind else []
    told += [f"{', '.join(before)}: of `mmvideo ablate`, before it"] if before else []
    return f"{rule} ({'; '.join(told)})." if told else f"{rule}."


def _study(options: Ablate, arguments: list[str]) -> Study:
    """The study that its function makes of its own flags, one a parameter, changed as the options say."""

    def fill_in(function: Callable[..., Any]) -> Any:
        return tyro.cli(function, prog=f"mmvideo ablate {options.study} --", args=arguments)

    study = load_study(options.study, fill_in)
    seeds = study.seeds if options.seeds is None else options.seeds
    name = study.name if options.name is None else options.name
    study = dataclasses.replace(study, name=name, seeds=seeds)
    if () in options.overrides:
        raise InputError("--set takes field=value, such as train.epochs=40; got none.")
    assignments = [assignment for given in options.overrides for assignment in given]
    study = overridden(study, assignments)
    if options.tune is not None:
        kept = study.tuning or Tuning()
        tuning = dataclasses.replace(kept, trials=options.tune) if options.tune else None
        study = dataclasses.replace(study, tuning=tuning)
    return tunable(study, [assignment.partition("=")[0] for assignment in assignments])


def _sized(study: Study) -> Study:
    if study.same_size_as is None:
        return study
    from mmvideo.studies.parity import sized

    return sized(study)


def _list(study: Study) -> str:
    """One line a run: its name, and its values of what the study's arms differ in."""
    flat = {config.label: flatten(config.model_dump(mode="json")) for config in study.runs()}
    on_axis = [
        key
        for key in next(iter(flat.values()))
        if any(key == axis or key.startswith(f"{axis}.") for axis in study.axes)
    ]
    differing = [key for key in on_axis if len({json.dumps(values.get(key)) for values in flat.values()}) > 1]
    lines = [
        "  ".join([label, *(f"{key}={json.dumps(values.get(key))}" for key in differing)])
        for label, values in flat.items()
    ]
    plan = plan_text(study) if study.tuning else []
    return "\n".join([f"{study.title}: {counted(len(lines), 'run')}", *lines, *plan])


def _opened(study: Study) -> tuple[str, Mapping[str, Collection[str]]]:
    """Decode what is not stored yet; what names the content of the data, and each arm's available modalities.

    Raises:
        InputError: the arms read different data.
    """
    from mmvideo.data.opened import open_data
    from mmvideo.data.run_data import available_modalities

    fingerprints = {open_data(arm.config, progress=True).fingerprint for arm in study.arms}
    if len(fingerprints) > 1:
        raise InputError(
            f"The arms of '{study.name}' read different data, so their runs cannot be compared clip by clip. "
            "Give all arms the same data.manifest, frame_rate, frame_size and sample_rate."
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


def _keep_floor(study: Study, study_dir: Path) -> None:
    """What a linear model finds in the study's data, beside its runs, where the report looks for it."""
    from mmvideo.runs.floor import floor_of

    for seed in study.seeds:
        configs = [arm.config.model_copy(update={"seed": seed}) for arm in study.arms]
        write_whole(study_dir / floor_file(seed), floor_of(configs).text())


def _report(study_dir: Path, out: Path, command: str, *, keep: bool = False) -> tuple[Comparison, bool]:
    from mmvideo.report import write_report
    from mmvideo.report.console import print_comparison

    folder = out / study_dir.name
    try:
        comparison, written = write_report(study_dir, folder, reproduce=command, keep=keep)
    except Exception as error:
        reason = _of_the_disk(error)
        if reason is None:
            raise
        raise InputError(
            f"The report in {folder} could not be written: {reason}. The runs in {study_dir} are kept; "
            f"`mmvideo compare {study_dir} --out FOLDER` writes their report elsewhere."
        ) from error
    print_comparison(comparison)
    print(f"report: {folder / 'report.html'}{'' if written else ' (as it was: nothing changed)'}")
    return comparison, written


def _of_the_disk(error: BaseException | None) -> str | None:
    """What the disk said, also where a library then stumbled over its half-written file."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def _mirror(comparison: Comparison, study: Study, study_dir: Path, out: Path) -> None:
    """The study's summary on the dashboard, and how to see what has been recorded offline."""
    log_study(
        study.name,
        study_dir,
        study.arms[0].config.tracking,
        tables={"comparison": comparison.table, "pairs": comparison.pairs, "limits": comparison.limits},
        figures={path.stem: path for path in sorted((out / study.name / "figures").glob("*.png"))},
        summary={
            "answer": comparison.answer.sentence,
            "qualified_by": "\n".join(comparison.answer.lines),
            "best_unimodal": comparison.best_unimodal or "none",
        },
    )
    hint = offline_hint(study_dir)
    if hint is not None:
        print(f"W&B runs were recorded offline. To look at them, or to upload them:\n{hint}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
