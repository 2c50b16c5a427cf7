"""Finished runs, opened to ask their models again: identity first, then data, encoders and weights."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lightning_fabric import Fabric

from mmvideo.data.run_data import RunData
from mmvideo.errors import InputError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import read_record
from mmvideo.model import FusionModel
from mmvideo.records import RESULT, RunResult
from mmvideo.runs.assembly import encode_ahead, make_fabric, trained_model
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import check_data, check_named_files
from mmvideo.study_records import STUDY, StudyRecord
from mmvideo.training.checkpoint import Checkpoints

SAME = 1e-2
"""How far a loss may be from the recorded one on another device or with other libraries."""


@dataclass(frozen=True)
class Finished:
    """A finished run, with all that it takes to ask its model again."""

    path: Path
    result: RunResult
    data: RunData
    model: FusionModel
    """As it is deployed, with the weights that validation chose; on the CPU."""
    fabric: Fabric

    @classmethod
    def open(cls, path: Path, manifest: str | None = None) -> Self:
        """The run at `path`, on its own manifest or on another one with the same classes.

        Raises:
            InputError: not a finished run, one whose files, own data or weights that it names are not what it
                was made with, or other classes than the run's.
        """
        run = RunDirectory(path)
        result = run.result()
        config = run.config
        check_named_files(result, config)
        if manifest is not None:
            config = config.model_copy(update={"data": config.data.model_copy(update={"manifest": manifest})})
        data = RunData.open(config, learnt=dict.fromkeys(config.modalities, run.inputs), progress=True)
        if manifest is None:
            check_data(result, data.source.listed, config.data.manifest, data.fingerprint)
        if data.classes != result.classes:
            raise InputError(
                f"{config.data.manifest} has the classes {data.classes}; the run at {path} knows "
                f"{result.classes}"
            )
        fabric = make_fabric(config)
        encode_ahead(data, fabric.device, views=False)
        model = trained_model(data)
        Checkpoints(run.checkpoints).load_best(model)
        model.deploy()
        return cls(path, result, data, model, fabric)

    def compare_with_record(self, metrics: Mapping[str, float]) -> None:
        """Tell where the run's own test split gives other numbers than its record has."""
        result, sources = self.result, self.result.changed_sources
        loss = TASKS[result.task].loss
        if abs(metrics[loss] - result.test[loss]) > SAME * max(1.0, abs(result.test[loss])):
            changed = f": {', '.join(sources)}" if sources else ", or files that it reads"
            print(
                f"{self.path}: {loss} is {metrics[loss]:.4f} now; the run's record says "
                f"{result.test[loss]:.4f}. What it uses has changed since{changed}.",
                file=sys.stderr,
            )


def finished_runs(places: Iterable[Path]) -> list[Path]:
    """The folders of finished runs among these, which are runs' folders or studies'.

    Of a study, those that belong to it as it is now.

    Raises:
        InputError: no place, one that is neither, or a study without a finished run.
    """
    places = list(places)
    if not places:
        raise InputError("Give the folder of at least one finished run or study, such as runs/mixed.")
    found: list[Path] = []
    places = list(places)
    if not places:
        raise InputError("Give the folder of a finished run, or that of a study, such as runs/mixed.")
    for place in places:
        if not place.is_dir():
            raise InputError(f"There is no folder {place}. Give that of a run, or of a study.")
        if (place / RESULT).is_file():
            found.append(place)
            continue
        listed = sorted(result.parent for result in place.glob(f"*/{RESULT}"))
        if (place / STUDY).is_file():
            remedy = "Run the study again: that writes it anew, and trains nothing twice."
            runs = read_record(place / STUDY, StudyRecord, remedy).runs
            listed = [run for run in listed if not runs or run.name in runs]
        if not listed:
            raise InputError(
                f"{place} holds no finished run: neither it nor a folder in it has a {RESULT}. Give the "
                "folder of a run, or that of a study, such as runs/mixed."
            )
        found += listed
    return list(dict.fromkeys(found))


def by_study(places: Iterable[Path]) -> list[Path]:
    """The places by which finished runs are told of: studies as they are, of others each run."""
    return [
        folder
        for place in places
        for folder in ([place] if (place / STUDY).is_file() else finished_runs([place]))
    ]
