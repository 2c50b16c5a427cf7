"""Each arm's interval as it shrinks while a study runs: after one seed, after two, and so on."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.statistics import ArmInterval
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows

ROW = 34
"""Pixels of an arm's band."""


def chart(arms: Sequence[tuple[str, str, Sequence[ArmInterval]]], display: MetricDisplay) -> Chart:
    """A band of lines per arm, the latest strong and lowest.

    Args:
        arms: name, role and intervals, in the order of their seeds.
    """
    factor, form = display.factor, f".{display.digits}f"
    data = rows(
        {
            "arm": arm,
            "role": role,
            "seeds": step.n_seeds,
            "latest": "with all that have finished" if step is steps[-1] else "with fewer seeds",
            "score": factor * step.mean,
            "low": factor * step.low,
            "high": factor * step.high,
        }
        for arm, role, steps in arms
        for step in steps
    )
    last = [steps[-1] for _, _, steps in arms if steps]
    ends = [factor * min(step.low for step in last), factor * max(step.high for step in last)]
    now = alt.Scale(
        domain=["with all that have finished", "with fewer seeds"], range=["var(--accent)", "var(--control)"]
    )
    base = alt.Chart(data).encode(
        y=alt.Y("arm:N", sort=None, axis=alt.Axis(title=None, ticks=False, domain=False)),
        yOffset=alt.YOffset("seeds:O"),
        color=alt.Color("latest:N", scale=now, legend=alt.Legend()),
        tooltip=[
            alt.Tooltip("arm:N", title="arm"),
            alt.Tooltip("seeds:Q", title="seeds", format=".0f"),
            alt.Tooltip("score:Q", title=f"test {display.axis}", format=form),
            alt.Tooltip("low:Q", title="from", format=form),
            alt.Tooltip("high:Q", title="to", format=form),
        ],
    )
    scale = alt.Scale(zero=False, nice=True, domain=ends)  # wider ones, of few seeds, are cut off
    x = alt.X("low:Q", title=f"test {display.axis}", scale=scale, axis=alt.Axis(tickCount=6))
    line = base.mark_rule(strokeWidth=2, clip=True).encode(x=x, x2="high:Q")
    mark = base.mark_point(filled=True, size=45, opacity=1, clip=True).encode(x="score:Q")
    return (line + mark).properties(width=0.78 * PAGE_WIDTH, height=ROW * len(arms))
