"""`mmvideo train` and `mmvideo evaluate`: one run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import checked, first_positional, parse, with_choices
from mmvideo.clips.manifest import shown
from mmvideo.config import RunConfig
from mmvideo.files import make_folder
from mmvideo.records import RunResult
from mmvideo.studies.base import load_base


@dataclass
class Train:
    """Train one run, evaluate it once on test, and write its directory.

    BASE gives the configuration to begin with; flags change single fields of it. `--help` after a BASE shows
    that base's values as the defaults.
    """

    base: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="BASE")]
    """A function that returns a RunConfig, as path/to/file.py:function or package.module:function (`base` if
    only the file or module is given), or the directory or config.json of an earlier run."""
    config: Annotated[RunConfig, tyro.conf.arg(name="")]
    root: Path = Path("runs")
    """Folder of run directories."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the complete configuration as JSON and stop."""


def train(arguments: list[str]) -> int:
    """`mmvideo train BASE [OPTIONS]`"""
    base = first_positional(arguments)
    default = with_choices(RunConfig() if base is None else load_base(base), arguments)
    shown = tyro.MISSING if base is None else base
    options = parse(Train, "train", arguments, Train(base=shown, config=default))
    config = checked(options.config)
    if options.dry_run:
        print(config.model_dump_json(indent=2))
        return 0
    from mmvideo.evaluation.tasks import TASKS
    from mmvideo.runs.directory import RunDirectory
    from mmvideo.runs.execute import execute

    make_folder(options.root)  # before hours of decoding, not after
    began = time.monotonic()
    path = execute(config, root=options.root, progress=True)
    result = RunDirectory(path).result()
    score = TASKS[config.data.task].score
    name = "" if score == "accuracy" else f"{score} "
    print(f"{config.label}  val {name}{result.val[score]:.3f}  test {name}{result.test[score]:.3f}")
    for note in _notes(result):
        print(f"Note: {note}")
    print(f"record: {path}  ({time.monotonic() - began:.0f} s)")
    return 0


def _notes(result: RunResult) -> Iterator[str]:
    """What a reader must know beside a run's numbers, as a study's report tells it."""
    from mmvideo.report.epochs import FIRST, LAST, at_the_end, at_the_start

    yield from (f"{warning}." for warning in result.warnings)
    for at, where in ((at_the_end, LAST), (at_the_start, FIRST)):
        if at(result):
            yield f"Validation chose {where}: epoch {result.best_epoch} of {result.epochs}."
    if failed := [f"{name} ({reason})" for name, reason in result.failed_clips.items()]:
        yield f"clips that could not be decoded: {len(failed)}. {shown(failed)}"
    if warned := [f"{name} ({'; '.join(told)})" for name, told in result.media_warnings.items()]:
        yield f"clips that were not read in full or as expected: {len(warned)}. {shown(warned)}"


@dataclass
class Evaluate:
    """Evaluate a finished run's checkpoint on the test split, of its own manifest or of another one."""

    run_dir: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN_DIR")]
    """The run's directory, such as runs/mixed/late-s0-0123456789."""
    manifest: str | None = None
    """Another manifest with the same classes; None: the run's own."""
    modalities: str | None = None
    """Show only these of the run's modalities, such as visual+audio; None: all."""


def evaluate(arguments: list[str]) -> int:
    """`mmvideo evaluate RUN_DIR [OPTIONS]`"""
    options = parse(Evaluate, "evaluate", arguments)
    from mmvideo.runs.evaluate import evaluate_run

    shown = None if options.modalities is None else options.modalities.split("+")
    metrics = evaluate_run(options.run_dir, manifest=options.manifest, modalities=shown)
    print(json.dumps(metrics, indent=2))
    return 0
