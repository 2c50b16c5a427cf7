"""Which classes are taken for which."""

from __future__ import annotations

from mmvideo.report.charts import confusion
from mmvideo.report.charts.roles import key_arms
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 65
MOST_CELLS = 4000
"""Of all matrices beside those of the key arms together; more are left out."""


def content(comparison: Comparison) -> Content | None:
    if comparison.study.task.kind != "single_label":
        return None
    trained = list(comparison.table.loc[comparison.table["parameters"].notna(), "arm"])
    picked = [arm for arm in key_arms(comparison) if arm in trained]
    key = picked or trained[:3]
    charts = {"confusion": confusion.chart(comparison, key)}
    others = [arm for arm in trained if arm not in key]
    cells = sum(int((comparison.confusion[arm] > 0).sum()) for arm in others)
    if others and cells <= MOST_CELLS:
        charts["confusion_others"] = confusion.chart(comparison, others)
    return Content(
        {
            "of": "Of what validation picks, and of score averaging." if len(picked) > 1 else "",
            "n_others": len(others),
            "shown": "confusion_others" in charts,
        },
        charts,
    )
