"""Several studies of one suite in one table: which strategy reaches Bayes accuracy, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmvideo.errors import InputError
from mmvideo.evaluation.statistics import ArmInterval, interval_for_arm
from mmvideo.files import write_whole
from mmvideo.report.load import load_study
from mmvideo.report.runs import ArmRuns

MARGIN = 0.03
"""Accuracy within which a strategy counts as reaching Bayes accuracy."""

TOST_LEVEL = 0.90
"""Two one-sided tests at 5 % are one interval of 90 % (Schuirmann, 1987, https://doi.org/10.1007/BF01068419)."""

REACHES, SHORT, OPEN = "reaches Bayes accuracy", "underperforms", "undecided"
MARKS = {REACHES: "=", SHORT: "<", OPEN: "?"}


def suite_table(study_dirs: Sequence[Path], margin: float = MARGIN) -> pd.DataFrame:
    """A row per study and arm.

    `steps`: how many training steps an arm was given; a suite may have two studies of one task, the second
    with more of them, which finds the arms that are only slow.
    `accuracy`, `low`, `high`: mean over seeds and clips with its 95 % interval. `limit`: the best any model
    can do with the arm's modalities. `verdict`: a test of equivalence at 5 %, *reaches Bayes accuracy* where
    the whole 90 % interval lies above limit - margin, *underperforms* where it lies below, else *undecided*.
    `additive`: what adding up the modalities' votes converges to; `interaction`: whether the arm is *beyond*
    the best that any additive rule could do, *at* what additive training converges to (within ± margin), or
    neither, by the same 90 % interval. `steps_to_limit`, `seconds_to_limit`: median over the seeds of when
    validation accuracy first came within the margin; NaN where half of the seeds or more never did.

    Args:
        study_dirs: finished studies on tasks whose limits are known (planted data).
        margin: in accuracy, 0 to 1.

    Raises:
        InputError: a study's limits are not known.
    """
    rows = []
    for folder in study_dirs:
        study = load_study(folder)
        if study.limits is None:
            raise InputError(f"{folder}: the task's limits are not known; a suite takes planted tasks only")
        for arm in study.arms:
            correct = arm.outputs.argmax(axis=2) == study.clips.labels
            interval = interval_for_arm(correct, study.clips.units)
            tested = interval_for_arm(correct, study.clips.units, level=TOST_LEVEL)
            limit = float(study.limits["bayes"]["+".join(arm.modalities)])
            additive = study.limits["additive"] if len(arm.modalities) > 1 else {}
            rows.append(
                {
                    "task": study.limits["task"],
                    "arm": arm.name,
                    "steps": int(max(run.curve["step"].max() for run in arm.runs)),
                    "n_seeds": interval.n_seeds,
                    "accuracy": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "limit": limit,
                    "verdict": equivalence(tested, limit, margin),
                    "additive": additive.get("cross_entropy", np.nan),
                    "interaction": _interaction(tested, additive, margin),
                    **_speed(arm, limit - margin),
                    "train_seconds": float(np.mean([r.result.costs.train_seconds for r in arm.runs])),
                }
            )
    return pd.DataFrame(rows)


def equivalence(interval: ArmInterval, limit: float, margin: float) -> str:
    """Whether an arm's interval lies within the margin below a limit that nothing can exceed."""
    if interval.low >= limit - margin:
        return REACHES
    return SHORT if interval.high < limit - margin else OPEN


def _interaction(interval: ArmInterval, additive: dict[str, float], margin: float) -> str:
    converged, ceiling = additive.get("cross_entropy"), additive.get("ceiling")
    if converged is None:
        return ""
    if interval.low > (converged if ceiling is None else ceiling):
        return "beyond additive"
    if interval.low >= converged - margin and interval.high <= converged + margin:
        return "at the additive limit"
    return ""


def _speed(arm: ArmRuns, target: float) -> dict[str, float]:
    """When validation accuracy first reached the target: median over seeds, in steps and seconds."""
    reached: dict[str, list[float]] = {"step": [], "training_seconds": []}
    for run in arm.runs:
        val = run.curve[run.curve["split"] == "val"]
        there = val[val["accuracy"] >= target]
        for name, values in reached.items():
            values.append(float(there[name].iloc[0]) if len(there) else np.inf)
    medians = {name: float(np.median(values)) for name, values in reached.items()}
    finite = {name: value if np.isfinite(value) else np.nan for name, value in medians.items()}
    return {"steps_to_limit": finite["step"], "seconds_to_limit": finite["training_seconds"]}


def write_suite(study_dirs: Sequence[Path], out: Path, margin: float = MARGIN) -> pd.DataFrame:
    """Write `suite.csv`, `suite.png` (accuracy per task and arm, against the limit) and
    `learning.png` (validation accuracy against steps and seconds) into `out`; returns the table."""
    from mmvideo.report.charts.suite import learning_chart, limits_chart
    from mmvideo.report.figures import write_chart

    table = suite_table(study_dirs, margin)
    write_whole(out / "suite.csv", table.to_csv(index=False, float_format="%.6g"))
    studies = [load_study(folder) for folder in study_dirs]
    charts = {"suite": limits_chart(table, MARKS), "learning": learning_chart(studies)}
    for name, chart in charts.items():
        write_chart(chart, out / name, ends=("png",))
    return table
