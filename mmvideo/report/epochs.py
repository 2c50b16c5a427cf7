"""Where in training the chosen epochs stand: at the first or the last one, a choice says little."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmvideo.records import RunResult
from mmvideo.report.runs import ArmRuns
from mmvideo.vocabulary import first_of

LAST = "the last epoch that was run: training may have been too short (train.epochs)"
FIRST = (
    "the first epoch: none after it did better on validation, so training may have been too fast "
    "(train.learning_rate), or validation too small to tell"
)


def at_the_end(result: RunResult) -> bool:
    """Whether a run's chosen epoch is the last one it ran, and was chosen."""
    return _chooses(result) and result.best_epoch == result.epochs


def at_the_start(result: RunResult) -> bool:
    """Whether a run's chosen epoch is the first of several."""
    return _chooses(result) and result.best_epoch == 1 < result.epochs


def _chooses(result: RunResult) -> bool:
    """Runs of before there was `train.select` chose by loss, and so does one whose configuration omits it."""
    return bool(result.deciding.get("train", {}).get("select") != "last")


def epochs_of(arms: Sequence[ArmRuns]) -> dict[str, float]:
    """Of a single arm: chosen epoch and epochs run, mean over seeds, and how many runs were chosen at an
    end. NaN where a row stands on no arm or on several."""
    runs = [run.result for run in arms[0].runs] if len(arms) == 1 else []
    found = {
        "best_epoch": [run.best_epoch for run in runs],
        "epochs": [run.epochs for run in runs],
    }
    means = {name: float(np.mean(values)) if runs else np.nan for name, values in found.items()}
    ends = {"chosen_first": at_the_start, "chosen_last": at_the_end}
    return means | {name: float(sum(map(at, runs))) if runs else np.nan for name, at in ends.items()}


def epochs_text(row: Mapping[Hashable, Any]) -> str:
    """`7.3 of 12`, and how often it was the first or the last: `11.7 of 12 (last: 2)`."""
    if pd.isna(row["epochs"]):
        return "–"
    ends = [f"{end}: {row[f'chosen_{end}']:.0f}" for end in ("first", "last") if row[f"chosen_{end}"]]
    return f"{row['best_epoch']:.3g} of {row['epochs']:.3g}" + (f" ({', '.join(ends)})" if ends else "")


def epoch_notes(arms: Sequence[ArmRuns]) -> list[str]:
    """A sentence for each end of training at which runs were chosen: in which arms, for how many runs."""
    notes = [_note(arms, at, where) for at, where in ((at_the_end, LAST), (at_the_start, FIRST))]
    return [note for note in notes if note]


def _note(arms: Sequence[ArmRuns], at: Callable[[RunResult], bool], where: str) -> str:
    counts = {arm.name: sum(at(run.result) for run in arm.runs) for arm in arms}
    named = [f"{arm.name} ({counts[arm.name]} of {len(arm.runs)} runs)" for arm in arms if counts[arm.name]]
    return f"Validation chose {where}: {first_of(named)}." if named else ""
