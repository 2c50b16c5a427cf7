"""What every arm costs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison
from mmvideo.report.epochs import epochs_text
from mmvideo.report.sections import Content
from mmvideo.report.style import LEGEND_BELOW, MARGIN, Style, styles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POSITION = 80
COSTS = {"parameters": "parameters", "flops_per_clip": "FLOPs per clip", "train_seconds": "training time, s"}


def content(comparison: Comparison) -> Content:
    return Content(
        {"rows": [row | {"epoch": epochs_text(row)} for row in comparison.table.to_dict("records")]},
        {"cost": chart(comparison, styles(comparison.table))},
    )


def chart(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Test score against what it costs."""
    from plotly.subplots import make_subplots

    wording, score = comparison.study.task.display, comparison.study.task.score
    figure = make_subplots(1, len(COSTS), shared_yaxes=True, horizontal_spacing=0.04)
    for row in comparison.table[comparison.table["parameters"].notna()].to_dict("records"):
        name, style = escape(row["arm"]), look[row["arm"]]
        for column, cost in enumerate(COSTS, start=1):
            figure.add_scatter(
                x=[row[cost]], y=[wording.factor * row[score]], row=1, col=column, mode="markers", name=name,
                legendgroup=name, showlegend=column == 1,
                marker={"color": style.colour, "symbol": style.marker, "size": 11},
                hovertemplate=f"%{{y:.{wording.digits}f}}{wording.unit} at %{{x:.3~s}}",
            )  # fmt: skip
    for column, label in enumerate(COSTS.values(), start=1):
        figure.update_xaxes(title_text=label, rangemode="tozero", nticks=6, row=1, col=column)
    figure.update_yaxes(title_text=f"test {wording.axis}", row=1, col=1)
    return figure.update_layout(height=420, margin=MARGIN, legend=LEGEND_BELOW, template={})
