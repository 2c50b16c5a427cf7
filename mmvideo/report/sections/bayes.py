"""What can be reached, where it is known."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 45


def content(comparison: Comparison) -> Content | None:
    return None if comparison.limits.empty else Content()
