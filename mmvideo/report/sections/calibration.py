"""Whether the arms' probabilities mean what they say."""

from __future__ import annotations

from mmvideo.report.calibration import calibration_frame, proper_score_differences
from mmvideo.report.charts import calibration
from mmvideo.report.charts.roles import key_arms
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 68


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    study = comparison.study
    names = [arm.name for arm in study.arms]
    shown = [name for name in key_arms(comparison) if name in names] or names[:3]
    rows, table = calibration_frame(study), comparison.table.dropna(subset="reference")
    of = dict(zip(table["arm"], table["reference"], strict=True))
    if any(of.get(name, name) != name for name in names):
        rows = rows.merge(proper_score_differences(study, of), on="arm", how="left")
    return Content(
        {"rows": rows.to_dict("records"), "reference": comparison.compared_with},
        {"calibration": calibration.chart(comparison, shown)},
    )
