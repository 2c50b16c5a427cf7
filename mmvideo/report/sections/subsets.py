"""What the arms score when they are given some of their modalities only."""

from __future__ import annotations

from mmvideo.report.charts import subsets
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 70


def content(comparison: Comparison) -> Content | None:
    return Content(charts={"subsets": subsets.chart(comparison)}) if subsets.scores(comparison) else None
