"""What each control is, and what follows where a fusion does not beat it."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.controls import EXPLANATIONS
from mmvideo.report.floors import explanations
from mmvideo.report.sections import Content

POSITION = 85


def content(comparison: Comparison) -> Content:
    study = comparison.study
    return Content({"explanations": EXPLANATIONS[study.task.kind] | explanations(study)})
