"""Several studies of one suite: scores against their limits, and how fast these are reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from mmvideo.report.charts.theme import Chart, rows
from mmvideo.report.runs import StudyRuns

SPEEDS = ("step", "training_seconds")
FURTHEST = 50
"""Points below the limit from which cells are as strong as they get."""


def limits_chart(table: pd.DataFrame, marks: Mapping[str, str]) -> Chart:
    """Accuracy of each arm on each task with its verdict's mark; the stronger a cell, the further it is below
    the limit. An arm that was trained again, for longer, has both accuracies."""
    cells = []
    for (task, arm), runs in table.sort_values("steps").groupby(["task", "arm"], sort=False):
        shown = zip(runs["accuracy"], runs["verdict"], strict=True)
        below = 100 * float((runs["limit"] - runs["accuracy"]).iloc[-1])
        text = " → ".join(f"{100 * accuracy:.1f} {marks[verdict]}" for accuracy, verdict in shown)
        cells.append({"task": task, "arm": arm, "shown": text, "below": below})
    words = ", ".join(f"{mark} {word}" for word, mark in marks.items())
    title = f"test accuracy, %; {words}; stronger: further below it"
    if table.duplicated(["task", "arm"]).any():
        title += "; →: trained again, for longer"
    bare: dict[str, Any] = {"ticks": False, "domain": False, "grid": False, "title": None}
    base = alt.Chart(rows(cells), title=title).encode(
        x=alt.X("task:N", sort=None, axis=alt.Axis(labelAngle=-30, **bare)),
        y=alt.Y("arm:N", sort=None, axis=alt.Axis(**bare)),
    )
    strength = alt.Scale(domain=[0, FURTHEST], range=[0.02, 0.9], clamp=True)
    cell = base.mark_rect(color="var(--worse-ink)", stroke="var(--paper)").encode(
        fillOpacity=alt.FillOpacity("below:Q", scale=strength, legend=None)
    )
    ink = alt.condition("datum.below > 40", alt.value("var(--paper)"), alt.value("var(--ink)"))
    return (cell + base.mark_text().encode(text="shown:N", color=ink)).properties(
        width=alt.Step(110), height=alt.Step(26)
    )


def learning_chart(studies: Sequence[StudyRuns]) -> Chart:
    """Validation accuracy, mean over the seeds, against steps and against seconds: a row a study."""
    lines = []
    for study in studies:
        assert study.limits is not None
        points = []
        for arm in study.arms:
            curves = pd.concat([run.curve[run.curve["split"] == "val"] for run in arm.runs])
            mean = curves.groupby("epoch")[[*SPEEDS, "accuracy"]].mean()
            points += [
                {"arm": arm.name, "score": 100 * row["accuracy"]} | {what: row[what] for what in SPEEDS}
                for row in mean.to_dict("records")
            ]  # fmt: skip
        limit = alt.Chart(rows([{"limit": 100 * max(study.limits["bayes"].values())}]))
        base = alt.Chart(rows(points)).mark_line(point=alt.OverlayMarkDef(size=18), strokeWidth=1.4)
        y = alt.Y("score:Q", title=[study.limits["task"], "validation, %"], scale=alt.Scale(zero=False))
        colour = alt.Color("arm:N", sort=None, scale=alt.Scale(scheme="tableau20"),
                           legend=alt.Legend(columns=5))  # fmt: skip
        by_step = alt.X("step:Q", title="training steps")
        by_time = alt.X("training_seconds:Q", title="training seconds", scale=alt.Scale(type="log"))
        row = [
            (base.encode(x=x, y=y, color=colour) + limit.mark_rule(strokeDash=[4, 3]).encode(y="limit:Q"))
            .properties(width=380, height=150)
            for x in (by_step, by_time)
        ]  # fmt: skip
        lines.append(alt.hconcat(*row).resolve_scale(y="shared"))
    return alt.vconcat(*lines)
