"""Clips that are hard for all arms, and those that the fusion of choice and a single modality disagree on."""

from __future__ import annotations

from mmvideo.report.clips import SHOWN, disagreements, hardest
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 80


def content(comparison: Comparison) -> Content:
    study, pair = comparison.study, (comparison.leader, comparison.best_unimodal)
    lists = []
    if pair[0] is not None and pair[1] is not None:
        ahead, behind = disagreements(study, pair[0], pair[1])
        lists = [(f"{pair[0]} does better than {pair[1]}", ahead.to_dict("records")),
                 (f"{pair[1]} does better than {pair[0]}", behind.to_dict("records"))]  # fmt: skip
    return Content(
        {"hardest": hardest(study).to_dict("records"), "lists": lists, "pair": pair, "most": SHOWN}
    )
