"""What each factor of a factorial study changes, and where two of them interact."""

from __future__ import annotations

from mmvideo.report.compare import Comparison
from mmvideo.report.factors import INTERACTION, MAIN, effects
from mmvideo.report.sections import Content

POSITION = 25


def content(comparison: Comparison) -> Content | None:
    found = effects(comparison.study)
    if found.empty:
        return None
    arms = [arm for arm in comparison.study.arms if arm.factors]
    tables = {kind: found[found["kind"] == kind].to_dict("records") for kind in (MAIN, INTERACTION)}
    return Content({"tables": {kind: rows for kind, rows in tables.items() if rows}, "n_arms": len(arms)})
