"""How well each arm does on each class."""

from __future__ import annotations

import altair as alt
import numpy as np

from mmvideo.report.charts.confusion import heat, heat_text
from mmvideo.report.charts.theme import Chart, rows
from mmvideo.report.compare import Comparison

MOST = 30
"""Of more classes those are shown on which the arms differ most."""
MOST_PRINTED = 12
"""Classes up to which cells have their number in them."""


def chart(comparison: Comparison) -> Chart:
    """Arm × class: the share of the class's clips that the arm predicts as it."""
    arms = list(comparison.table.loc[comparison.table["parameters"].notna(), "arm"])
    names = shown_classes(comparison, arms)
    place = {name: number for number, name in enumerate(comparison.study.clips.classes)}
    cells = [
        {"arm": arm, "label": name, "share": 100 * comparison.confusion[arm][place[name], place[name]]}
        for arm in arms
        for name in names
    ]
    axis = alt.Axis(title=None, ticks=False, domain=False, grid=False)
    across = alt.Axis(title=None, ticks=False, domain=False, grid=False, orient="top", labelAngle=-40)
    base = alt.Chart(rows(cells)).encode(
        x=alt.X("label:N", scale=alt.Scale(domain=names), axis=across),
        y=alt.Y("arm:N", scale=alt.Scale(domain=arms), axis=axis),
    )
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("label:N", title="class"),
        alt.Tooltip("share:Q", title="recall, %", format=".1f"),
    ]
    layers = [heat(base, tips)]
    if len(names) <= MOST_PRINTED:
        layers.append(heat_text(base, "share", ".0f"))
    return alt.layer(*layers).properties(width=min(720, 70 * len(names)), height=21 * len(arms))


def shown_classes(comparison: Comparison, arms: list[str]) -> list[str]:
    """All classes, or those on which the arms differ most, in the classes' order."""
    classes = comparison.study.clips.classes
    recall = np.array([np.diag(comparison.confusion[arm]) for arm in arms])
    most = sorted(np.argsort(-recall.std(axis=0), kind="stable")[:MOST])
    return [classes[place] for place in most]
