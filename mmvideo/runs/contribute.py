"""What each modality contributes to a finished run's score, measured and kept beside its result."""

from __future__ import annotations

import time
from pathlib import Path

from mmvideo.errors import InputError
from mmvideo.evaluation.afterwards import CONTRIBUTION, ContributionRecord, by_id, read_afterwards
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import Damaged, locked, write_whole
from mmvideo.records import RunResult
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.finished import Finished
from mmvideo.training.encoded import encode_split
from mmvideo.training.stand_ins import Asked, without_modalities

METHOD = 1
"""Raise it when the same run would be given other numbers."""
DRAWS = 16
"""How often other clips stand in for a removed modality."""


def contribute(path: Path, draws: int = DRAWS) -> tuple[ContributionRecord | None, bool]:
    """The run's record, and whether it was made now; None for a run of one modality, which has it all. What
    another process is measuring is waited for.

    Raises:
        InputError: no draw, not a finished run, or one that is not what it was made with.
    """
    if draws < 1:
        raise InputError(f"--draws must be at least 1; got {draws}.")
    result = RunDirectory(path).result()
    if len(result.modalities) < 2:
        return None, False
    kept = _kept(path, result, draws)
    if kept is not None:
        return kept, False
    busy = f"Another process is measuring what the modalities of '{path}' contribute; waiting for it."
    with locked(path / CONTRIBUTION, busy):
        kept = _kept(path, result, draws)
        if kept is not None:  # by another process, meanwhile
            return kept, False
        record = _measured(path, draws)
        write_whole(path / CONTRIBUTION, record.text())
    return record, True


def _kept(path: Path, result: RunResult, draws: int) -> ContributionRecord | None:
    """What was measured before, of this very run and in this way."""
    try:
        record = read_afterwards(path, CONTRIBUTION, ContributionRecord, result, "contribute")
    except Damaged:  # or there is none; it is measured anew
        return None
    return record if (record.method, record.draws) == (METHOD, draws) else None


def _measured(path: Path, draws: int) -> ContributionRecord:
    began = time.monotonic()
    run = Finished.open(path)
    device, size = run.fabric.device, run.data.config.train.batch_size
    model = run.model.to(device)
    with run.fabric.autocast():
        split = encode_split(model, run.data.evaluated("test"), device)
        asked = Asked(model, split, run.data.task, device, size)
        found = without_modalities(asked, draws)
    run.compare_with_record(TASKS[run.data.task].metrics(found.outputs, asked.labels))
    ids = [split.ids[row] for row in asked.starts]
    return ContributionRecord(
        run=run.result.folder,
        result=str(run.result.seal),
        task=run.data.task,
        seconds=round(time.monotonic() - began, 3),
        method=METHOD,
        modalities=run.result.modalities,
        draws=draws,
        scores={
            name: {pattern: by_id(ids, values) for pattern, values in of.items()}
            for name, of in found.scores.items()
        },
        emap=by_id(ids, found.emap),
    )
