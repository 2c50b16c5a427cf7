"""Where the variance comes from, and what would narrow the intervals more."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.variance import SOURCES

POSITION = 57


def content(comparison: Comparison) -> Content | None:
    rows = comparison.variance.to_dict("records")
    named = [name for name in SOURCES if comparison.variance[name].notna().any()]
    return Content({"rows": rows, "sources": named}) if rows else None
