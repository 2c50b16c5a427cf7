"""Scores and differences of every arm and control, with their intervals."""

from __future__ import annotations

from typing import Any

import altair as alt

from mmvideo.report.charts.roles import colour, described, shape
from mmvideo.report.charts.theme import LINES, PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

ROW = 21
"""Height of a line, in pixels."""
NAMES = 600
"""The most that a name takes beside its line, in pixels; where the page lacks room it stands above."""


def chart(comparison: Comparison) -> Chart:
    """Per arm: test score, and its difference to the best single modality, each with the 95 % interval."""
    wording = comparison.study.task.display
    difference = difference_title(comparison).format(comparison.compared_with or "best single modality")
    axis = alt.Axis(title=None, ticks=False, domain=False, labelPadding=8, labelLimit=NAMES)
    lines = alt.Scale(domain=list(comparison.table["arm"]))
    y = alt.Y("arm:N", scale=lines, axis=axis)
    scores = _intervals(comparison, "score", f"test {wording.axis}", y)
    panels: list[Any] = [alt.layer(*_limits(comparison, y), *scores)]
    if comparison.table["difference"].notna().any():
        bare = alt.Y("arm:N", scale=lines, axis=None)
        zero = alt.Chart(rows([{"at": 0}])).mark_rule(strokeWidth=1.5).encode(x="at:Q")
        panels.append(alt.layer(zero, *_intervals(comparison, "difference", difference, bare)))
    size = {"width": 0.78 * PAGE_WIDTH / len(panels), "height": ROW * len(comparison.table)}
    panels = [panel.properties(**size) for panel in panels]
    return alt.hconcat(*panels, data=rows(_rows(comparison)), usermeta={LINES: "arm"})


def difference_title(comparison: Comparison) -> str:
    """Of the differences' axis, with `{}` for what they are to."""
    return f"difference to {{}}{comparison.study.task.display.change_axis}"


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    task = comparison.study.task
    factor, of = task.display.factor, described(comparison)
    columns = {
        "score": task.score, "score_low": "low", "score_high": "high", "difference": "difference",
        "difference_low": "difference_low", "difference_high": "difference_high", "bayes": "bayes_accuracy",
    }  # fmt: skip
    return [
        of[row["arm"]]
        | {"verdict": row["verdict"]}
        | {name: factor * row[column] for name, column in columns.items()}
        for row in comparison.table.to_dict("records")
    ]


def _intervals(comparison: Comparison, what: str, title: str, y: alt.Y) -> list[Any]:
    """A line from end to end and a mark in the middle."""
    form = f".{comparison.study.task.display.digits}f"
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip(f"{what}:Q", title=title, format=form),
        alt.Tooltip(f"{what}_low:Q", title="from", format=form),
        alt.Tooltip(f"{what}_high:Q", title="to", format=form),
    ]
    if what == "difference":
        tips.append(alt.Tooltip("verdict:N", title="verdict"))
    known = alt.Chart().transform_filter(f"isValid(datum.{what})")
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X(f"{what}_low:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6))
    line = known.mark_rule(strokeWidth=2).encode(x=x, x2=f"{what}_high:Q", y=y, color=colour(comparison))
    mark = known.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X(f"{what}:Q", title=title), y=y, color=colour(comparison), shape=shape(), tooltip=tips
    )
    return [line, mark]


def _limits(comparison: Comparison, y: alt.Y) -> list[Any]:
    """What can be reached: a tick for each arm's modalities, a line for all of them."""
    if not comparison.study.limits:
        return []
    tip = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("bayes:Q", title="Bayes accuracy of its modalities, %", format=".1f"),
    ]
    own = (
        alt.Chart()
        .transform_filter("isValid(datum.bayes)")
        .mark_tick(color="var(--soft)", thickness=2, size=16)
    )
    lines = sorted(limit_lines(comparison.study.limits).items(), key=lambda line: line[1])
    bounds = rows({"what": what, "at": 100 * value} for place, (what, value) in enumerate(lines))
    base = alt.Chart(bounds).encode(x="at:Q")
    names = [
        base.transform_filter(alt.datum.what == what)
        .mark_text(align="right", dx=-3, y=-6 - 13 * place, color="var(--soft)")
        .encode(text="what:N")
        for place, (what, _) in enumerate(lines)
    ]
    return [
        base.mark_rule(strokeDash=[4, 3]),
        *names,
        own.encode(x="bayes:Q", y=y, tooltip=tip),
    ]


def limit_lines(limits: dict[str, dict[str, float]] | None) -> dict[str, float]:
    """What is drawn across the accuracy charts where it is known: label → accuracy."""
    if not limits:
        return {}
    widest = max(limits["bayes"], key=lambda subset: subset.count("+"))
    lines = {"Bayes accuracy": limits["bayes"][widest]}
    if "ceiling" in limits["additive"]:
        lines["additive bound"] = limits["additive"]["ceiling"]
    return lines
