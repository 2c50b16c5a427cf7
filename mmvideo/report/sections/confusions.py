"""Which classes are taken for which."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.style import MARGIN

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POSITION = 90
MOST_LABELLED = 12
"""Classes up to which a confusion matrix names them and prints its numbers."""


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    return Content(figures={"confusion": chart(comparison)})


def chart(comparison: Comparison) -> Figure:
    """One matrix per trained arm and for score averaging: shares of each label's clips."""
    from plotly.subplots import make_subplots

    names = list(comparison.table.loc[comparison.table["parameters"].notna(), "arm"])
    classes = [escape(name) for name in comparison.study.clips.classes]
    labelled = len(classes) <= MOST_LABELLED
    columns = 3
    rows = math.ceil(len(names) / columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[escape(name) for name in names], shared_yaxes=True,
        horizontal_spacing=0.03, vertical_spacing=0.24 / rows,
    )  # fmt: skip
    for number, name in enumerate(names):
        figure.add_heatmap(
            z=100 * comparison.confusion[name], x=classes, y=classes, zmin=0, zmax=100, xgap=1, ygap=1,
            row=number // columns + 1, col=number % columns + 1, coloraxis="coloraxis",
            texttemplate="%{z:.0f}" if labelled else None,
            hovertemplate="%{y} predicted as %{x}: %{z:.1f} %<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(showgrid=False, ticks="")
    if not labelled:
        figure.update_yaxes(showticklabels=False).update_xaxes(showticklabels=False)
    scale = {"colorscale": [[0, "rgba(0,114,178,0.03)"], [1, "rgba(0,114,178,1)"]], "cmin": 0, "cmax": 100}
    return figure.update_layout(
        height=60 + 270 * rows, margin=MARGIN, coloraxis=scale | {"showscale": False}, template={}
    )
