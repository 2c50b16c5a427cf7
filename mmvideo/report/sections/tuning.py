"""What tuning tried for each arm, and what it chose."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.tuning import budget
from mmvideo.tuning_record import setting_text

POSITION = 87


def content(comparison: Comparison) -> Content | None:
    tuning = comparison.study.tuning
    if tuning is None:
        return None
    settings = [setting_text(trial.setting) for trial in tuning.arms[0].trials]
    return Content({"tuning": tuning, "settings": settings, "budget": budget(comparison.study)})
