"""Whether the arms' probabilities mean what they say."""

from __future__ import annotations

from mmvideo.report.calibration import calibration_frame
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
    return Content(
        {"rows": calibration_frame(study).to_dict("records")},
        {"calibration": calibration.chart(comparison, shown)},
    )
