"""Whether the arms' probabilities mean what they say."""

from __future__ import annotations

from mmvideo.report.calibration import calibration_frame
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 68


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    return Content({"rows": calibration_frame(comparison.study).to_dict("records")})
