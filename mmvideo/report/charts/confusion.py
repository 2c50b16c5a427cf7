"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from mmvideo.report.charts.theme import PAGE_WIDTH, Chart, rows
from mmvideo.report.compare import Comparison

MOST_LABELLED = 12
"""Classes up to which a confusion matrix names them and prints its numbers."""
COLUMNS = 3


def chart(comparison: Comparison, arms: Sequence[str]) -> Chart:
    """One matrix an arm: of each label's clips the share that is predicted as each class; no mark: none."""
    classes = list(comparison.study.clips.classes)
    cells = [
        {"arm": arm, "label": true, "predicted": guess, "share": 100 * share}
        for arm in arms
        for true, line in zip(classes, comparison.confusion[arm], strict=True)
        for guess, share in zip(classes, line, strict=True)
        if share > 0
    ]
    labelled = len(classes) <= MOST_LABELLED
    axis = alt.Axis(labels=labelled, ticks=False, domain=False, grid=False)
    scale = alt.Scale(domain=classes)
    base = alt.Chart().encode(
        x=alt.X("predicted:N", title="prediction", scale=scale, axis=axis),
        y=alt.Y("label:N", title="label", scale=scale, axis=axis),
    )
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("label:N", title="label"),
        alt.Tooltip("predicted:N", title="predicted as"),
        alt.Tooltip("share:Q", title="share, %", format=".1f"),
    ]
    layers: list[alt.Chart] = [heat(base, tips)]
    if labelled:
        layers.append(heat_text(base, "share", ".0f"))
    side = 0.8 * PAGE_WIDTH / COLUMNS
    matrix = alt.layer(*layers, data=rows(cells)).properties(width=side, height=0.8 * side)
    return matrix.facet(facet=alt.Facet("arm:N", title=None, sort=list(arms)), columns=COLUMNS)


def heat(
    base: alt.Chart, tips: Sequence[alt.Tooltip], field: str = "share", ends: tuple[float, float] = (0, 100)
) -> alt.Chart:
    """Cells whose colour is the stronger the nearer a field is to the second end."""
    scale = alt.Scale(domain=list(ends), range=[0.04, 1])
    return base.mark_rect(color="var(--heat)", stroke="var(--paper)").encode(
        fillOpacity=alt.FillOpacity(f"{field}:Q", scale=scale, legend=None), tooltip=list(tips)
    )


def heat_text(base: alt.Chart, field: str, form: str, ends: tuple[float, float] = (0, 100)) -> alt.Chart:
    """The numbers in such cells, legible on the strong ones too."""
    low, high = ends
    near = f"(datum.{field} - {low}) / {high - low or 1} > 0.8"
    strong = alt.condition(near, alt.value("var(--heat-ink)"), alt.value("var(--ink)"))
    shown = {"field": field, "type": "quantitative", "format": form}
    return base.mark_text().encode(text=shown, color=strong)
