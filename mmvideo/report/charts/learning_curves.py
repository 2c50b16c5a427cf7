"""How every arm got where it is."""

from __future__ import annotations

from typing import Any

import altair as alt

from mmvideo.report.charts.roles import colour, described, key_arms, spread
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

HEIGHT = 330
EACH_EPOCH = 10
"""Up to so many epochs each has its tick."""
NAMED = 10
"""Up to so many arms have a band and a name each; of more only those that validation picks."""


def chart(comparison: Comparison) -> Chart:
    """Validation score against seconds and against epochs; band: least to most over the seeds."""
    arms = [arm.name for arm in comparison.study.arms]
    curves = [row for arm in comparison.study.arms for row in _curve(comparison, arm.name)]
    last = max(row["epoch"] for row in curves)
    ticks = {"values": list(range(1, last + 1))} if last <= EACH_EPOCH else {"tickCount": 6}
    by_epoch = alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", grid=False, **ticks),
                     scale=alt.Scale(zero=False, nice=False))  # fmt: skip
    by_time = alt.X("seconds:Q", title="training time, s", axis=alt.Axis(tickCount=6, grid=False))
    named = arms if len(arms) <= NAMED else [name for name in key_arms(comparison) if name in arms]
    panels = [
        alt.layer(*_lines(comparison, x, arms, named)).properties(width=0.42 * PAGE_WIDTH, height=HEIGHT)
        for x in (by_time, by_epoch)
    ]
    panels[1] = alt.layer(panels[1], _names(comparison, curves, arms, named))
    return alt.hconcat(*panels, data=rows(curves)).resolve_scale(y="shared")


def _curve(comparison: Comparison, name: str) -> list[dict[str, Any]]:
    """The points of an arm's curve, and each run's choice."""
    arm = next(arm for arm in comparison.study.arms if arm.name == name)
    of, factor = described(comparison)[name], comparison.study.task.display.factor
    points = [
        of
        | {"epoch": row["epoch"], "seconds": row["seconds"]}
        | {what: factor * row[what] for what in ("mean", "low", "high")}
        for row in arm.validation_curve().to_dict("records")
    ]
    chosen = [
        of | {"epoch": row["epoch"], "seconds": row["seconds"], "chosen": factor * row["score"]}
        for row in arm.chosen().to_dict("records")
    ]
    return points + chosen


def _lines(comparison: Comparison, x: alt.X, arms: list[str], named: list[str]) -> list[Any]:
    wording = comparison.study.task.display
    form, title = f".{wording.digits}f", f"validation {wording.axis}"
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    shared = {"x": x, "detail": "arm:N", "color": colour(comparison, arms)}
    of_mean = alt.Chart().transform_filter("isValid(datum.mean)")
    at = [alt.Tooltip("arm:N", title="arm"), alt.Tooltip("epoch:Q", title="epoch"),
          alt.Tooltip("seconds:Q", title="training time, s", format=".3~s")]  # fmt: skip
    seen = [
        alt.Tooltip(f"{what}:Q", title=head, format=form)
        for what, head in (("mean", title), ("low", "least"), ("high", "most"))
    ]
    band = of_mean.transform_filter(alt.FieldOneOfPredicate("arm", named)).mark_area(opacity=0.13)
    faint = alt.condition(alt.FieldOneOfPredicate("arm", named), alt.value(1), alt.value(0.45))
    alone = comparison.study.arms[0].validation_curve()["epoch"].size == 1
    line = of_mean.mark_line(strokeWidth=2, point=alone).encode(**shared, y=y, opacity=faint)
    touch = of_mean.mark_point(opacity=0, size=60).encode(**shared, y=y, tooltip=at + seen)
    best = [*at, alt.Tooltip("chosen:Q", title=f"{title} at the chosen epoch", format=form)]
    picks = alt.Chart().transform_filter("isValid(datum.chosen)").mark_point(size=45, strokeWidth=1.5)
    return [
        band.encode(**shared, y=alt.Y("low:Q", title=title), y2="high:Q"),
        line,
        touch,
        picks.encode(**shared, y=alt.Y("chosen:Q", title=title), opacity=faint, tooltip=best),
    ]


def _names(
    comparison: Comparison, curves: list[dict[str, Any]], arms: list[str], named: list[str]
) -> alt.Chart:
    """The arms' names, each beside the end of its line."""
    known = [row for row in curves if "mean" in row]
    span = max(row["high"] for row in known) - min(row["low"] for row in known)
    last = {row["arm"]: row for row in known if row["arm"] in named}
    places = spread([row["mean"] for row in last.values()], 14 * (span or 1) / HEIGHT)
    ends = [
        {"arm": row["arm"], "role": row["role"], "place": at}
        for row, at in zip(last.values(), places, strict=True)
    ]
    return (
        alt.Chart(rows(ends))
        .mark_text(align="left", dx=8, x="width")
        .encode(y=alt.Y("place:Q"), text="arm:N", color=colour(comparison, arms))
    )
