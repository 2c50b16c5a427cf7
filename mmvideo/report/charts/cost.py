"""Score against what it costs."""

from __future__ import annotations

import altair as alt

from mmvideo.report.charts.roles import colour, described, key_arms, shape
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

COSTS = {"parameters": "parameters", "flops_per_clip": "FLOPs per clip", "train_seconds": "training time, s"}


def chart(comparison: Comparison) -> Chart:
    """Test score of each trained arm against its parameters, FLOPs and training time."""
    task = comparison.study.task
    wording, of = task.display, described(comparison)
    trained = comparison.table[comparison.table["parameters"].notna()].to_dict("records")
    values = [
        of[row["arm"]]
        | {"score": wording.factor * row[task.score]}
        | {cost: row[cost] for cost in COSTS}
        | {"named": row["arm"] if row["arm"] in key_arms(comparison) else ""}
        for row in trained
    ]
    title = f"test {wording.axis}"
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("score:Q", title=title, format=f".{wording.digits}f"),
        *(alt.Tooltip(f"{cost}:Q", title=label, format=".3~s") for cost, label in COSTS.items()),
    ]
    panels = []
    for number, (cost, label) in enumerate(COSTS.items()):
        axis = alt.Axis(tickCount=4, labelExpr="format(datum.value, '~s')")
        base = alt.Chart().encode(
            x=alt.X(f"{cost}:Q", title=label, scale=alt.Scale(zero=True), axis=axis),
            y=alt.Y("score:Q", title="" if number else title, scale=alt.Scale(zero=False, padding=12)),
            color=colour(comparison, [row["arm"] for row in trained]),
        )
        dots = base.mark_point(filled=True, size=80, opacity=0.9).encode(shape=shape(), tooltip=tips)
        names = base.mark_text(dy=-10).encode(text="named:N")
        panels.append(alt.layer(dots, names).properties(width=0.29 * PAGE_WIDTH, height=280))
    return alt.hconcat(*panels, data=rows(values)).resolve_scale(y="shared")
