"""How every arm got where it is."""

from __future__ import annotations

from mmvideo.report.charts import learning_curves
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 50


def content(comparison: Comparison) -> Content:
    return Content(charts={"learning_curves": learning_curves.chart(comparison)})
