"""`mmvideo robustness`: how finished runs' scores fall with damaged input, without training them again."""

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
class RobustnessOptions:
    """Evaluate finished runs on test clips that are damaged in five severities.

    The same clips are damaged in the same way for every run. Scores are kept beside each run's result, where
    reports find them; what is there is not measured again, so that an interrupted command goes on where it
    stopped.
    """

    places: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN|STUDY …")]
    """Folders of finished runs or of studies, such as runs/mixed."""
    kinds: tuple[str, ...] | None = None
    """Corruptions, such as audio.white_noise, visual.blur+audio.white_noise for both at once, or visual for
    all of that modality. None: all of each modality, and the first of the first two modalities at once."""
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    """1 is mildest."""
    seed: int = 0
    """Of the corruptions' draws."""


def run(arguments: list[str]) -> int:
    """`mmvideo robustness RUN|STUDY … [OPTIONS]`"""
    options = parse(RobustnessOptions, "robustness", arguments)
    from mmvideo.report.robustness import as_text, measured_in
    from mmvideo.runs.finished import by_study, finished_runs
    from mmvideo.runs.robustness import Robustness

    folders = finished_runs(options.places)
    for number, folder in enumerate(folders, start=1):
        done = list(Robustness(folder, options.seed).measure(options.kinds, options.severities))
        new = sum(made for _, made in done)
        at = f"[{number:>{len(str(len(folders)))}}/{len(folders)}]"
        print(f"{at} {folder.name}: {new} measured, {len(done) - new} as they were", flush=True)
    for place in by_study(options.places):
        title, found, display = measured_in(place)
        if len(found.curves):
            print(f"\n{visible(title)}: {display.axis}\n{visible(as_text(found, display))}")
        for told in found.notes:
            note(told)
    if studies := [place for place in by_study(options.places) if (place / STUDY).is_file()]:
        print(f"To have these on the page: mmvideo compare {shlex.join(map(str, studies))}")
    return 0
