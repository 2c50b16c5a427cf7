"""What every arm costs."""

from __future__ import annotations

from mmvideo.report.charts import cost
from mmvideo.report.compare import Comparison
from mmvideo.report.epochs import epochs_text
from mmvideo.report.sections import Content

POSITION = 55


def content(comparison: Comparison) -> Content:
    return Content(
        {"rows": [row | {"epoch": epochs_text(row)} for row in comparison.table.to_dict("records")]},
        {"cost": cost.chart(comparison)},
    )
