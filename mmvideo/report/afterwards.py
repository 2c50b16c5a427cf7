"""What was measured of a study's finished runs afterwards, as far as it can be read: the rest is told."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from mmvideo.evaluation.afterwards import (
    CONTRIBUTION,
    ROBUSTNESS,
    ContributionRecord,
    RobustnessRecord,
    read_afterwards,
    read_robustness,
)
from mmvideo.files import Damaged
from mmvideo.records import RunResult
from mmvideo.report.runs import StudyRuns

Severities = dict[int, RobustnessRecord]
Measured = dict[str, Severities]
"""Corruption → severity → what was measured."""


def contribution_of(folder: Path, result: RunResult) -> tuple[ContributionRecord | None, list[str]]:
    """A run's record, None where there is none that can be read, and then why."""
    if not (folder / CONTRIBUTION).exists():
        return None, []
    try:
        return read_afterwards(folder, CONTRIBUTION, ContributionRecord, result, "contribute"), []
    except Damaged as error:
        return None, [_left_out(error)]


def robustness_of(folder: Path, result: RunResult) -> tuple[Measured, list[str]]:
    """A run's records, and why others cannot be read."""
    found: Measured = defaultdict(dict)
    notes = []
    for path in sorted((folder / ROBUSTNESS).glob("*.json")):
        try:
            record = read_robustness(folder, f"{ROBUSTNESS}/{path.name}", result)
        except Damaged as error:
            notes.append(_left_out(error))
        else:
            found[record.corruption][record.severity] = record
    return dict(found), notes


def unreadable(study: StudyRuns) -> list[str]:
    """Each record of a study's runs that is left out, with what to do."""
    runs = [run for arm in study.arms for run in arm.runs]
    return [
        note
        for read in (contribution_of, robustness_of)
        for run in runs
        for note in read(run.directory, run.result)[1]
    ]


def _left_out(error: Damaged) -> str:
    return f"Left out of what was measured of finished runs: {error}"
