"""What a reader must know beside the numbers."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 20


def content(comparison: Comparison) -> Content | None:
    return Content() if comparison.notes or comparison.failed_clips else None
