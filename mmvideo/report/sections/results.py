"""Every arm and control: its scores, and its difference to the best single modality."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison, incomplete
from mmvideo.report.sections import Content
from mmvideo.report.style import GREY, MARGIN, Style, limit_lines, styles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POSITION = 30


def content(comparison: Comparison) -> Content:
    task = comparison.study.task
    return Content(
        {
            "rows": comparison.table.to_dict("records"),
            "incomplete": incomplete(comparison),
            "metrics": [column for column in task.display.columns if column.key in comparison.table],
        },
        {task.score: chart(comparison, styles(comparison.table))},
    )


def chart(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Per arm: test score, and its difference to the best single modality, each with the 95 % interval."""
    from plotly.subplots import make_subplots

    reference = escape(comparison.best_unimodal or "best single modality")
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    wording, score = comparison.study.task.display, comparison.study.task.score
    form = f".{wording.digits}f"
    panels = ((score, "low", "high"), ("difference", "difference_low", "difference_high"))
    for row in comparison.table.to_dict("records"):
        name, style = escape(row["arm"]), look[row["arm"]]
        for column, keys in enumerate(panels, start=1):
            middle, low, high = (wording.factor * row[key] for key in keys)
            if math.isnan(middle):
                continue
            figure.add_scatter(
                x=[middle], y=[name], row=1, col=column, mode="markers", name=name, showlegend=False,
                marker={"color": style.colour, "symbol": style.marker, "size": 10},
                error_x={"array": [high - middle], "arrayminus": [middle - low], "symmetric": False,
                         "thickness": 2, "width": 0, "color": style.colour},
                hovertemplate=f"{name}: {middle:{form}} [{low:{form}}, {high:{form}}]<extra></extra>",
            )  # fmt: skip
    known = comparison.table[comparison.table["bayes_accuracy"].notna()]
    figure.add_scatter(
        x=100 * known["bayes_accuracy"], y=[escape(name) for name in known["arm"]], row=1, col=1,
        mode="markers", showlegend=False,
        marker={"symbol": "line-ns-open", "size": 16, "color": GREY, "line": {"width": 2}},
        hovertemplate="Bayes accuracy of these modalities: %{x:.1f}<extra></extra>",
    )  # fmt: skip
    lines = limit_lines(comparison.study.limits)
    for place, (label, value) in enumerate(sorted(lines.items(), key=lambda line: line[1])):
        figure.add_vline(
            100 * value, row=1, col=1, line={"dash": "dash", "width": 1, "color": GREY},
            annotation={"text": label, "font": {"size": 11}, "yshift": 16 + 13 * place},
            annotation_position="top left",  # at the right it would widen the axis
        )  # fmt: skip
    figure.add_vline(0, row=1, col=2, line={"width": 1.5, "color": GREY})
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(title_text=f"test {wording.axis}", row=1, col=1)
    figure.update_xaxes(title_text=f"difference to {reference}{wording.change_axis}", row=1, col=2)
    return figure.update_layout(height=110 + 30 * len(comparison.table), margin=MARGIN, template={})
