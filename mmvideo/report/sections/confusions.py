"""Which classes are taken for which."""

from __future__ import annotations

from mmvideo.report.charts import confusion
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 90


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    trained = list(comparison.table.loc[comparison.table["parameters"].notna(), "arm"])
    return Content(charts={"confusion": confusion.chart(comparison, trained)})
