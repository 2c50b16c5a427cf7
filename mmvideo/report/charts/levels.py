"""How scores change with a factor whose levels are numbers: a panel for each level of the other factor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

COLUMNS = 4
LEAST = 3
"""Levels that make a curve."""
FAR = 8
"""Levels are on a logarithmic axis where the greatest is so many times the least."""
SERIES = {"arm": "leader", "best single modality": "reference"}
"""What is drawn in a panel, and the name of its colour in the style sheet."""


def numbers(levels: Sequence[str]) -> list[float] | None:
    """The levels as numbers; None where they make no curve: some are no places on an axis, or share one."""
    try:
        found = [float(level) for level in levels]
    except ValueError:
        return None
    drawn = all(map(math.isfinite, found)) and len(set(found)) == len(found) >= LEAST
    return found if drawn else None


def chart(comparison: Comparison, cells: Mapping[tuple[str, str], Mapping[Any, Any]], along: str) -> Chart:
    """Test score and 95 % interval by level; grey: the best single modality at the same level.

    Args:
        cells: (level of the other factor, number) → the row in the table of results.
        along: the factor whose levels are numbers.
    """
    task = comparison.study.task
    form = f".{task.display.digits}f"
    table = {row["arm"]: row for row in comparison.table.to_dict("records")}
    arm, single = SERIES
    points = []
    for (other, level), row in cells.items():
        for series, found in ((arm, row), (single, table.get(row["reference"]))):
            if found is not None:
                scores = {"score": found[task.score], "low": found["low"], "high": found["high"]}
                scaled = {name: task.display.factor * value for name, value in scores.items()}
                points.append(
                    {"panel": other, "level": float(level), "series": series, "arm": found["arm"], **scaled}
                )
    levels = sorted({point["level"] for point in points})
    far = levels[0] > 0 and levels[-1] / levels[0] >= FAR
    title = f"test {task.display.axis}"
    axis = alt.Axis(values=levels, grid=False, format="~r", labelOverlap=False)
    places = alt.Scale(type="log", nice=False) if far else alt.Scale(zero=False, nice=False)
    x = alt.X("level:Q", title=along, axis=axis, scale=places)
    tips = [
        alt.Tooltip("panel:N", title="level"),
        alt.Tooltip("level:Q", title=along, format="~r"),
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("score:Q", title=title, format=form),
        alt.Tooltip("low:Q", title="95 % from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    scale = alt.Scale(domain=list(SERIES), range=[f"var(--{role})" for role in SERIES.values()])
    legend = alt.Legend(symbolOpacity=1, symbolType="circle")
    base = alt.Chart().encode(x=x, color=alt.Color("series:N", scale=scale, title=None, legend=legend))
    y = alt.Y("score:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    panel = alt.layer(
        base.transform_filter(alt.datum.series == arm)
        .mark_area(opacity=0.13)
        .encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(size=25, filled=True).encode(y=y, tooltip=tips),
        data=rows(points),
    ).properties(width=0.8 * PAGE_WIDTH / COLUMNS, height=180)
    order = list(dict.fromkeys(name for name, _ in cells))
    return panel.facet(facet=alt.Facet("panel:N", title=None, sort=order), columns=COLUMNS)
