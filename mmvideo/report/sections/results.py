"""Every arm and control: its scores, and its difference to the best single modality."""

from __future__ import annotations

from mmvideo.report.charts import forest
from mmvideo.report.compare import Comparison, incomplete
from mmvideo.report.references import choices
from mmvideo.report.sections import Content
from mmvideo.report.words import rank_text

POSITION = 30


def content(comparison: Comparison) -> Content:
    task = comparison.study.task
    return Content(
        {
            "rows": comparison.table.to_dict("records"),
            "incomplete": incomplete(comparison),
            "margin": comparison.margin,
            "ranked": comparison.table["rank_best"].notna().sum() > 1,
            "rank": rank_text,
            "references": choices(comparison, forest.difference_title(comparison)),
            "metrics": [column for column in task.display.columns if column.key in comparison.table],
        },
        {"forest": forest.chart(comparison)},
    )
