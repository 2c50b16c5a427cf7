"""Tuning in a report: the budget, which was every arm's, and what validation chose for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mmvideo.report.rows import Row
from mmvideo.report.runs import StudyRuns
from mmvideo.tuning_record import setting_text
from mmvideo.vocabulary import counted

COLUMNS = ("trials", "trial", "trial_score", "chosen")


def tuned_columns(study: StudyRuns, rows: Sequence[Row]) -> pd.DataFrame:
    """For each row its arm's `trials`, the number of the chosen `trial`, that one's score on validation, and
    the settings that were `chosen`; empty for rows that are no tuned arms."""
    return pd.DataFrame([_of(study, row.name) for row in rows], columns=COLUMNS)


def _of(study: StudyRuns, arm: str) -> tuple[Any, ...]:
    found = study.tuning.of(arm) if study.tuning else None
    if found is None or found.chosen is None:
        return None, None, None, ""
    best = found.trials[found.chosen]
    return len(found.trials), found.chosen, best.score, setting_text(best.setting)


def budget(study: StudyRuns) -> str:
    """How a tuned study's settings were chosen."""
    assert study.tuning is not None
    tuning, failed = study.tuning, sum(arm.failed for arm in study.tuning.arms)
    names = " and ".join(", ".join(_plain(name) for name in tuning.space).rsplit(", ", 1))
    seeds = f" with {len(tuning.seeds)} tuning seeds each" if len(tuning.seeds) > 1 else ""
    lost = f"; {counted(failed, 'trial')} failed" if failed else ""
    return (
        f"{counted(tuning.trials, 'trial')} an arm{seeds}, the same for all, over {names}; chosen on "
        f"validation alone and trained anew with the seeds of the study{lost}"
    )


def _plain(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")
