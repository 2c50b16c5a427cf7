"""Whether confidences mean what they say, and whether they tell right from wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from mmvideo.report.calibration import reliability_curves, risk_coverage_curves
from mmvideo.report.charts.roles import colour, described, spread
from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

HEIGHT = 300
WIDTHS = [0.6, 5]
"""Of a line where an arm has hardly any clips of a confidence, and where it has the most; in pixels."""


def chart(comparison: Comparison, arms: Sequence[str]) -> Chart:
    """Of some arms the smooth reliability diagram (all seeds' predictions together; thicker: more clips) and
    the error rate by coverage (mean over the seeds)."""
    panels = [_reliability(comparison, arms), _risk(comparison, arms)]
    sized = [panel.properties(width=0.4 * PAGE_WIDTH, height=HEIGHT) for panel in panels]
    return alt.hconcat(*sized)


def _reliability(comparison: Comparison, arms: Sequence[str]) -> Any:
    curves = reliability_curves(comparison.study, arms)
    titles = {"confidence": "confidence, %", "right": "accuracy, %", "density": "clips there, % of the most"}
    x = alt.X("confidence:Q", title="confidence, %", axis=alt.Axis(grid=False, tickCount=6))
    y = alt.Y("right:Q", title="accuracy, %", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    ends = [100 * float(curves["confidence"].min()), 100.0]
    same = alt.Chart(rows({"confidence": end, "right": end} for end in ends)).mark_line(
        color="var(--soft)", strokeDash=[4, 3], strokeWidth=1
    )
    size = alt.Size("density:Q", scale=alt.Scale(domain=[0, 100], range=WIDTHS), legend=None)
    base = _base(comparison, curves, ["confidence", "right", "density"]).encode(x=x, y=y)
    line = base.mark_trail().encode(size=size)
    touch = base.mark_point(opacity=0, size=60).encode(tooltip=_tips(titles))
    return alt.layer(same.encode(x=x, y=y), line, touch)


def _risk(comparison: Comparison, arms: Sequence[str]) -> Any:
    curves = risk_coverage_curves(comparison.study, arms)
    x = alt.X("coverage:Q", title="coverage, %, surest clips first", axis=alt.Axis(grid=False, tickCount=6))
    y = alt.Y("risk:Q", title="error rate among them, %", axis=alt.Axis(tickCount=6))
    base = _base(comparison, curves, ["coverage", "risk"]).encode(x=x, y=y)
    titles = {"coverage": "coverage, %", "risk": "error rate, %"}
    ends = curves[curves["coverage"] == curves["coverage"].max()]
    gap = 14 * (float(curves["risk"].max()) or 1) / HEIGHT
    names = ends.assign(risk=spread(ends["risk"].tolist(), gap))
    name = _base(comparison, names, ["coverage", "risk"]).mark_text(align="left", dx=8)
    return alt.layer(
        base.mark_line(strokeWidth=2),
        base.mark_point(opacity=0, size=60).encode(tooltip=_tips(titles)),
        name.encode(x=x, y=y, text="arm:N"),
    )


def _base(comparison: Comparison, curves: pd.DataFrame, shares: list[str]) -> alt.Chart:
    """The points of each arm's curve in %, in its colour."""
    of = described(comparison)
    points = [
        of[row["arm"]] | {what: 100 * row[what] for what in shares} for row in curves.to_dict("records")
    ]
    drawn = list(dict.fromkeys(curves["arm"]))
    return alt.Chart(rows(points)).encode(color=colour(comparison, drawn), detail="arm:N")


def _tips(titles: dict[str, str]) -> list[Any]:
    fields = [alt.Tooltip(f"{field}:Q", title=title, format=".1f") for field, title in titles.items()]
    return [alt.Tooltip("arm:N", title="arm"), *fields]
