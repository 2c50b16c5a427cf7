"""The page's interactive charts. The page itself sets the colours of paper, text and grid."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from mmvideo.report.compare import Comparison
from mmvideo.report.metric_display import DISPLAY
from mmvideo.report.style import GREY, Style, limit_lines, styles

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MARGIN = {"l": 10, "r": 10, "t": 40, "b": 60}
MOST_LABELLED = 12
"""Classes up to which a confusion matrix names them and prints its numbers."""
COSTS = {"parameters": "parameters", "flops_per_clip": "FLOPs per clip", "train_seconds": "training time, s"}


def charts(comparison: Comparison) -> dict[str, Figure]:
    """The charts by name: `accuracy` (or the task's score), `learning_curves`, `cost`; `confusion` for single
    labels, `scatter` for regression.

    plotly reads a little HTML in every text, so names are escaped.
    """
    look = styles(comparison.table)
    task = comparison.study.task
    named = {
        task.score: _score(comparison, look),
        "learning_curves": _learning_curves(comparison, look),
        "cost": _cost(comparison, look),
    }
    if task.kind == "single_label":
        named["confusion"] = _confusion(comparison)
    elif task.kind == "regression":
        named["scatter"] = _scatter(comparison, look)
    return named


def _score(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Per arm: test score, and its difference to the best single modality, each with the 95 % interval."""
    from plotly.subplots import make_subplots

    reference = escape(comparison.best_unimodal or "best single modality")
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    wording, score = DISPLAY[comparison.study.task.kind], comparison.study.task.score
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
    ticks = " (tick: the arm's Bayes accuracy)" if comparison.study.task.kind == "single_label" else ""
    figure.add_scatter(
        x=100 * known["bayes_accuracy"], y=[escape(name) for name in known["arm"]], row=1, col=1,
        mode="markers", showlegend=False,
        marker={"symbol": "line-ns-open", "size": 16, "color": GREY, "line": {"width": 2}},
        hovertemplate="Bayes accuracy of these modalities: %{x:.1f}<extra></extra>",
    )  # fmt: skip
    lines = limit_lines(comparison.study.limits)
    for label, value in lines.items():
        side = "top left" if value < max(lines.values()) else "top right"
        figure.add_vline(
            100 * value, row=1, col=1, line={"dash": "dash", "width": 1, "color": GREY},
            annotation={"text": label, "font": {"size": 11}, "yshift": 18}, annotation_position=side,
        )  # fmt: skip
    figure.add_vline(0, row=1, col=2, line={"width": 1.5, "color": GREY})
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(title_text=f"test {wording.axis}{ticks}", row=1, col=1)
    figure.update_xaxes(title_text=f"difference to {reference}{wording.change_axis}", row=1, col=2)
    return figure.update_layout(height=110 + 30 * len(comparison.table), margin=MARGIN, template={})


def _learning_curves(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Validation score against epochs and against seconds; band: least to most over the seeds."""
    from plotly.subplots import make_subplots

    wording = DISPLAY[comparison.study.task.kind]
    factor = wording.factor
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    arms = {arm.name: arm for arm in comparison.study.arms}
    for name in (name for name in comparison.table["arm"] if name in arms):
        curve, style = arms[name].validation_curve(), look[name]
        red, green, blue = (int(style.colour[i : i + 2], 16) for i in (1, 3, 5))
        for column, x in enumerate(("epoch", "seconds"), start=1):
            common = {"legendgroup": name, "row": 1, "col": column}
            figure.add_scatter(
                x=[*curve[x], *curve[x][::-1]], y=[*(factor * curve["low"]), *(factor * curve["high"][::-1])],
                fill="toself", fillcolor=f"rgba({red},{green},{blue},0.15)", line={"width": 0},
                mode="lines", showlegend=False, hoverinfo="skip", **common,
            )  # fmt: skip
            figure.add_scatter(
                x=curve[x], y=factor * curve["mean"], mode="lines", name=escape(name), showlegend=column == 1,
                line={"color": style.colour, "dash": style.dash, "width": 2}, **common,
                hovertemplate=f"%{{y:.{wording.digits}f}}{wording.unit} at %{{x:.3~g}}",
            )  # fmt: skip
    figure.update_xaxes(title_text="epoch", row=1, col=1)
    figure.update_xaxes(title_text="training time, s", row=1, col=2)
    figure.update_yaxes(title_text=f"validation {wording.axis}", row=1, col=1)
    return figure.update_layout(height=440, margin=MARGIN, legend=_below(), template={})


def _cost(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Test score against what it costs."""
    from plotly.subplots import make_subplots

    wording, score = DISPLAY[comparison.study.task.kind], comparison.study.task.score
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
    return figure.update_layout(height=420, margin=MARGIN, legend=_below(), template={})


def _confusion(comparison: Comparison) -> Figure:
    """One matrix per trained arm and for score averaging: shares of each label's clips."""
    from plotly.subplots import make_subplots

    names = list(comparison.table.loc[comparison.table["n_seeds"].notna(), "arm"])
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


def _scatter(comparison: Comparison, look: dict[str, Style]) -> Figure:
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
    return figure.update_layout(height=460, margin=MARGIN, legend=_below(), template={})


def _below() -> dict[str, object]:
    return {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
