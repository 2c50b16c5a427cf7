"""`mmvideo ablate` and `mmvideo compare`: a whole study, from its file to its report."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mmvideo.cli.options import parse
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.runs.directory import make_folder
from mmvideo.runs.tracking import log_study, offline_hint
from mmvideo.studies.grid import run_grid
from mmvideo.studies.study import Study, load_study

if TYPE_CHECKING:
    from mmvideo.report import Comparison


@dataclass
class Ablate:
    """Carry out a study: run what is missing, compare the arms, write tables, figures and a page.

    Options of the study's own stand behind `--`; `mmvideo ablate STUDY -- --help` explains them.
    """

    study: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STUDY")]
    """A function that returns a Study, as path/to/file.py:function; `study` if only the file is given."""
    seeds: tuple[int, ...] | None = None
    """Seeds each arm is run with; None: the study's own."""
    workers: int | None = None
    """Runs at once; None: one on a GPU, else as many as the cores allow."""
    root: Path = Path("runs")
    """Folder of run directories."""
    out: Path = Path("reports")
    """Folder of reports; the study's own is made in it."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """List the runs and what they differ in, and stop."""


def ablate(arguments: list[str]) -> int:
    """`mmvideo ablate STUDY [OPTIONS] [-- STUDY OPTIONS]`"""
    began = time.monotonic()
    own, of_study = _split(arguments)
    options = parse(Ablate, "ablate", own)
    if not options.dry_run:
        make_folder(options.root)  # before the study's data is decoded, not after
    study = _study(options.study, of_study)
    if options.seeds is not None:
        study = dataclasses.replace(study, seeds=options.seeds)
    if options.dry_run:
        print(_list(study))
        return 0
    from mmvideo.runs.execute import execute

    print(f"{study.title}: {len(study.arms)} arms × {len(study.seeds)} seeds")
    report = run_grid(
        study,
        partial(execute, root=options.root),
        root=options.root,
        data_fingerprint=_data_fingerprint(study),
        workers=options.workers,
    )
    print(report.summary(), file=sys.stderr if report.failures else sys.stdout)
    if report.trained + report.reused:
        command = f"mmvideo ablate {shlex.join(arguments)}"
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
        _report(folder, options.out, f"mmvideo compare {shlex.join(arguments)}")
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and behind it."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _study(spec: str, arguments: list[str]) -> Study:
    """The study that the function makes of these flags, one for each of its parameters."""

    def fill_in(function: Callable[..., Any]) -> Any:
        return tyro.cli(function, prog=f"mmvideo ablate {spec} --", args=arguments)

    return load_study(spec, fill_in)


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
    return "\n".join([f"{study.title}: {len(lines)} runs", *lines])


def _data_fingerprint(study: Study) -> str:
    """Decode what is not stored yet, and name the content of the data, which is one for all arms."""
    from mmvideo.data.opened import open_data

    fingerprints = {open_data(arm.config, progress=True).fingerprint for arm in study.arms}
    if len(fingerprints) > 1:
        raise InputError(
            f"The arms of '{study.name}' read different data, so their runs cannot be compared clip by clip. "
            "Give all arms the same data.manifest, frame_rate, frame_size and sample_rate."
        )
    return fingerprints.pop()


def _report(study_dir: Path, out: Path, command: str, *, keep: bool = False) -> tuple[Comparison, bool]:
    from mmvideo.report import write_report
    from mmvideo.report.console import print_comparison

    folder = out / study_dir.name
    comparison, written = write_report(study_dir, folder, reproduce=command, keep=keep)
    print_comparison(comparison)
    print(f"report: {folder / 'report.html'}{'' if written else ' (as it was: nothing changed)'}")
    return comparison, written


def _mirror(comparison: Comparison, study: Study, study_dir: Path, out: Path) -> None:
    """The study's summary on the dashboard, and how to see what has been recorded offline."""
    log_study(
        study.name,
        study_dir,
        study.arms[0].config.tracking,
        tables={"comparison": comparison.table, "pairs": comparison.pairs, "limits": comparison.limits},
        figures={path.stem: path for path in sorted((out / study.name / "figures").glob("*.png"))},
        summary={"answer": comparison.answer, "best_unimodal": comparison.best_unimodal or "none"},
    )
    hint = offline_hint(study_dir)
    if hint is not None:
        print(f"W&B runs were recorded offline. To look at them, or to upload them:\n{hint}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
