"""What tuning had found for each arm after so many trials."""

from __future__ import annotations

from typing import Any

import altair as alt

from mmvideo.evaluation.budgets import budgets
from mmvideo.report.charts.learning_curves import NAMED
from mmvideo.report.charts.roles import colour, described, key_arms, spread
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison
from mmvideo.report.tuning import by_budget

HEIGHT = 300


def points(comparison: Comparison) -> list[dict[str, Any]]:
    """For each arm of the table and number of trials the validation score of the best one so far."""
    study, of = comparison.study, described(comparison)
    assert study.tuning is not None
    return [
        of[arm] | {"trials": n, "score": study.task.display.factor * score}
        for arm, scores in by_budget(study).items()
        if arm in of
        for n, score in zip(budgets(study.tuning.trials), scores, strict=True)
        if score is not None
    ]


def chart(comparison: Comparison) -> Chart:
    """Validation score of each arm's best trial so far, by the number of trials (log scale)."""
    wording, found = comparison.study.task.display, points(comparison)
    last = {point["arm"]: point for point in found}
    title, drawn = f"best validation {wording.axis}", list(last)
    ticks = alt.Axis(values=sorted({point["trials"] for point in found}), format="d", grid=False)
    x = alt.X("trials:Q", title="trials", scale=alt.Scale(type="log", base=2, nice=False), axis=ticks)
    y = alt.Y("score:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("trials:Q", title="trials"),
        alt.Tooltip("score:Q", title=title, format=f".{wording.digits}f"),
    ]
    base = alt.Chart(rows(found)).encode(x=x, y=y, color=colour(comparison, drawn), detail="arm:N")
    span = max(point["score"] for point in found) - min(point["score"] for point in found)
    named = drawn if len(drawn) <= NAMED else [arm for arm in key_arms(comparison) if arm in drawn]
    places = spread([last[arm]["score"] for arm in named], 14 * (span or 1) / HEIGHT)
    ends = [last[arm] | {"score": place} for arm, place in zip(named, places, strict=True)]
    names = alt.Chart(rows(ends)).mark_text(align="left", dx=8)
    return alt.layer(
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=45, opacity=1).encode(tooltip=tips),
        names.encode(x=x, y=y, text="arm:N", color=colour(comparison, drawn)),
    ).properties(width=0.7 * PAGE_WIDTH, height=HEIGHT)
