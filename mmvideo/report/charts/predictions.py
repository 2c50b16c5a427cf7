"""In regression, every clip's label and prediction."""

from __future__ import annotations

import altair as alt

from mmvideo.report.charts.roles import colour, described, shape
from mmvideo.report.charts.theme import Chart, rows
from mmvideo.report.compare import Comparison


def chart(comparison: Comparison) -> Chart:
    """Label against prediction (mean over the seeds) of every test clip, for the fusion that validation picks
    and the best single modality."""
    clips, of = comparison.study.clips, described(comparison)
    arms = [arm for arm in comparison.study.arms if arm.name in (comparison.leader, comparison.best_unimodal)]
    values = [
        of[arm.name] | {"clip": clip, "label": label, "prediction": value}
        for arm in arms
        for clip, label, value in zip(clips.ids, clips.labels, arm.outputs[..., 0].mean(axis=0), strict=True)
    ]
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("clip:N", title="clip"),
        alt.Tooltip("label:Q", title="label", format=".3~g"),
        alt.Tooltip("prediction:Q", title="prediction", format=".3~g"),
    ]
    dots = (
        alt.Chart(rows(values))
        .mark_point(filled=True, size=36, opacity=0.6)
        .encode(
            x=alt.X("label:Q", title="label"),
            y=alt.Y("prediction:Q", title="prediction"),
            color=colour(comparison, [arm.name for arm in arms]),
            shape=shape(),
            tooltip=tips,
        )
    )
    ends = rows({"label": end, "prediction": end} for end in (clips.labels.min(), clips.labels.max()))
    same = alt.Chart(ends).mark_line(color="var(--soft)", strokeWidth=1).encode(x="label:Q", y="prediction:Q")
    return alt.layer(same, dots).properties(width=620, height=420)
