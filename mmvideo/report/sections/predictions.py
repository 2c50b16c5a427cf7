"""In regression, every clip's label and prediction."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.style import GREY, LEGEND_BELOW, MARGIN, Style, styles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POSITION = 100


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "regression":
        return None
    return Content(figures={"scatter": chart(comparison, styles(comparison.table))})


def chart(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Label against prediction (mean over the seeds) of every test clip, for the fusion that validation picks
    and the best single modality."""
    from plotly.graph_objects import Figure

    figure, true = Figure(), comparison.study.clips.labels
    for arm in comparison.study.arms:
        if arm.name in (comparison.leader, comparison.best_unimodal):
            style = look[arm.name]
            figure.add_scatter(
                x=true, y=arm.outputs[..., 0].mean(axis=0), mode="markers", name=escape(arm.name),
                marker={"color": style.colour, "symbol": style.marker, "size": 6, "opacity": 0.6},
                text=[escape(name) for name in comparison.study.clips.ids],
                hovertemplate="%{text}: %{x:.3g} predicted as %{y:.3g}",
            )  # fmt: skip
    ends = [float(true.min()), float(true.max())]
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": GREY, "width": 1}, showlegend=False)
    figure.update_xaxes(title_text="label").update_yaxes(title_text="prediction")
    return figure.update_layout(height=460, margin=MARGIN, legend=LEGEND_BELOW, template={})
