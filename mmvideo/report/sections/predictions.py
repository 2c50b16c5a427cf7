"""In regression, every clip's label and prediction."""

from __future__ import annotations

from mmvideo.report.charts import predictions
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 66


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "regression":
        return None
    return Content(charts={"predictions": predictions.chart(comparison)})
