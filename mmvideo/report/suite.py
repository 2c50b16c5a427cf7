"""Several studies of one suite in one table: which strategy reaches Bayes accuracy, and how fast."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    table = suite_table(study_dirs, margin)
    write_whole(out / "suite.csv", table.to_csv(index=False, float_format="%.6g"))
    for name, figure in (("suite", _heatmap(table)), ("learning", _learning(study_dirs))):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150)
        write_whole(out / f"{name}.png", buffer.getvalue())
    return table


def _heatmap(table: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    tasks, arms = list(table["task"].unique()), list(table["arm"].unique())
    gap = np.full((len(arms), len(tasks)), np.nan)
    figure = Figure(figsize=(2.5 + 1.35 * len(tasks), 1.2 + 0.36 * len(arms)), layout="constrained")
    axis = figure.subplots()
    marks = {REACHES: "✓", SHORT: "✗", OPEN: "?"}
    for (task, arm), rows in table.sort_values("steps").groupby(["task", "arm"]):
        place = arms.index(arm), tasks.index(task)
        gap[place] = 100 * (rows["accuracy"] - rows["limit"]).iloc[-1]
        shown = zip(rows["accuracy"], rows["verdict"], strict=True)
        text = " → ".join(f"{100 * accuracy:.1f} {marks[verdict]}" for accuracy, verdict in shown)
        colour = "white" if gap[place] < -25 else "black"
        size = 8 if len(rows) == 1 else 7
        axis.text(place[1], place[0], text, ha="center", va="center", fontsize=size, color=colour)
    image = axis.imshow(gap, cmap="viridis", vmin=-50, vmax=0, aspect="auto")
    axis.set_xticks(range(len(tasks)), tasks, rotation=30, ha="right")
    axis.set_yticks(range(len(arms)), arms)
    figure.colorbar(image, label="points below Bayes accuracy")
    title = "test accuracy, %; ✓ reaches Bayes accuracy, ✗ underperforms, ? undecided"
    if table.duplicated(["task", "arm"]).any():
        title += "; →: trained again, for longer"
    axis.set_title(title, fontsize=9)
    return figure


def _learning(study_dirs: Sequence[Path]) -> Any:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.2 * len(study_dirs) + 1.2), layout="constrained")
    axes = figure.subplots(len(study_dirs), 2, squeeze=False, sharey="row")
    studies = [load_study(folder) for folder in study_dirs]
    arms = list(dict.fromkeys(arm.name for study in studies for arm in study.arms))
    lines: dict[str, Any] = {}
    for row, study in zip(axes, studies, strict=True):
        for arm in study.arms:
            curves = pd.concat([run.curve[run.curve["split"] == "val"] for run in arm.runs])
            mean = curves.groupby("epoch")[["step", "training_seconds", "accuracy"]].mean()
            number = arms.index(arm.name)
            style = {
                "color": colormaps["tab20"](number % 20),
                "marker": "o^sv"[number % 4],
                "ms": 3,
                "lw": 1.2,
            }
            for axis, x in zip(row, ("step", "training_seconds"), strict=True):
                lines[arm.name] = axis.plot(mean[x], 100 * mean["accuracy"], label=arm.name, **style)[0]
        assert study.limits is not None
        for axis, x in zip(row, ("training steps", "training seconds"), strict=True):
            axis.axhline(100 * max(study.limits["bayes"].values()), color="#6b7078", lw=0.9, ls="--")
            axis.set_xlabel(x, fontsize=8)
        row[1].set_xscale("log")
        row[0].set_ylim(min(row[0].get_ylim()[0], 90), 103)
        row[0].set_ylabel(f"{study.limits['task']}\nvalidation, %", fontsize=8)
    figure.legend(lines.values(), lines, loc="outside upper center", ncols=5, fontsize=7, frameon=False)
    return figure
