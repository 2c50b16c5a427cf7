"""How every arm got where it is."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.style import LEGEND_BELOW, MARGIN, Style, styles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POSITION = 70
_EACH_EPOCH = 10
"""Up to so many epochs each has its tick."""


def content(comparison: Comparison) -> Content:
    return Content(figures={"learning_curves": chart(comparison, styles(comparison.table))})


def chart(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Validation score against epochs and against seconds; band: least to most over the seeds."""
    from plotly.subplots import make_subplots

    wording = comparison.study.task.display
    factor = wording.factor
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    arms = {arm.name: arm for arm in comparison.study.arms}
    last = 0
    for name in (name for name in comparison.table["arm"] if name in arms):
        curve, chosen, style = arms[name].validation_curve(), arms[name].chosen(), look[name]
        last = max([last, *curve["epoch"]])
        red, green, blue = (int(style.colour[i : i + 2], 16) for i in (1, 3, 5))
        for column, x in enumerate(("epoch", "seconds"), start=1):
            common = {"legendgroup": name, "row": 1, "col": column}
            figure.add_scatter(
                x=[*curve[x], *curve[x][::-1]], y=[*(factor * curve["low"]), *(factor * curve["high"][::-1])],
                fill="toself", fillcolor=f"rgba({red},{green},{blue},0.15)", line={"width": 0},
                mode="lines", showlegend=False, hoverinfo="skip", **common,
            )  # fmt: skip
            figure.add_scatter(
                x=curve[x], y=factor * curve["mean"], name=escape(name), showlegend=column == 1,
                mode="lines+markers" if len(curve) == 1 else "lines",
                line={"color": style.colour, "dash": style.dash, "width": 2}, **common,
                hovertemplate=f"%{{y:.{wording.digits}f}}{wording.unit} at %{{x:.3~g}}",
            )  # fmt: skip
            figure.add_scatter(
                x=chosen[x], y=factor * chosen["score"], mode="markers", showlegend=False, **common,
                marker={"color": style.colour, "symbol": "circle-open", "size": 8},
                hovertemplate=f"chosen: %{{y:.{wording.digits}f}}{wording.unit} at %{{x:.3~g}}",
            )  # fmt: skip
    whole = {"dtick": 1} if last <= _EACH_EPOCH else {}
    figure.update_xaxes(title_text="epoch", tickformat="d", row=1, col=1, **whole)
    figure.update_xaxes(title_text="training time, s", row=1, col=2)
    figure.update_yaxes(title_text=f"validation {wording.axis}", row=1, col=1)
    return figure.update_layout(height=440, margin=MARGIN, legend=LEGEND_BELOW, template={})
