"""How well each arm does on each class."""

from __future__ import annotations

from mmvideo.report.charts import per_class
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 60


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    hidden = len(comparison.study.clips.classes) - per_class.MOST
    return Content({"hidden": max(hidden, 0)}, {"per_class": per_class.chart(comparison)})
