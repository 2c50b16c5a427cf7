"""What each split holds: clips, groups, classes, modalities, and which of these are there in name only."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.vocabulary import in_order

POSITION = 90


def content(comparison: Comparison) -> Content | None:
    splits = comparison.study.arms[0].runs[0].result.content
    if not splits:
        return None
    modalities = in_order(name for held in splits.values() for name in held.present)
    return Content({"splits": splits, "modalities": modalities})
