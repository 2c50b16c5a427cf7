"""`mmvideo contribute`: what each modality contributes to finished runs, without training them again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import parse
from mmvideo.study_records import STUDY
from mmvideo.terminal import note, visible


@dataclass
class Contribute:
    """Measure what each modality contributes to the test score of finished runs.

    Every clip is encoded once; then the model is asked for every subset of its modalities, with two things
    in the place of what is removed: nothing (`absent`), and other clips' (`permuted`). From that follow exact
    Shapley values and dividends, permutation scores, and the score of the nearest additive function (EMAP).
    The numbers are kept beside each run's result, where reports find them; what is there is not made again.
    """

    places: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN|STUDY …")]
    """Folders of finished runs or of studies, such as runs/mixed."""
    draws: int = 16
    """How often other clips stand in for a removed modality."""


def run(arguments: list[str]) -> int:
    """`mmvideo contribute RUN|STUDY … [OPTIONS]`"""
    options = parse(Contribute, "contribute", arguments)
    from mmvideo.report.contributions import as_text, measured_in, sign_notes
    from mmvideo.runs.contribute import contribute
    from mmvideo.runs.finished import by_study, finished_runs

    folders = finished_runs(options.places)
    for number, folder in enumerate(folders, start=1):
        record, made = contribute(folder, options.draws)
        what = "measured" if made else "has one modality, which gives all" if record is None else "as it was"
        print(f"[{number:>{len(str(len(folders)))}}/{len(folders)}] {folder.name}: {what}", flush=True)
    for place in by_study(options.places):
        title, table, display = measured_in(place)
        if len(table):
            print(f"\n{visible(title)}: {display.axis} [95 % interval]\n{visible(as_text(table, display))}")
        for told in sign_notes(table):
            note(told)
    if studies := [place for place in by_study(options.places) if (place / STUDY).is_file()]:
        print(f"To have these on the page: mmvideo compare {shlex.join(map(str, studies))}")
    return 0
