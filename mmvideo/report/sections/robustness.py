"""How scores fall with damaged input, of the arms that were measured."""

from __future__ import annotations

from typing import Any

from mmvideo.report.charts.robustness import chart
from mmvideo.report.compare import Comparison
from mmvideo.report.robustness import Robustness, robustness_frames
from mmvideo.report.sections import Content

POSITION = 74


def content(comparison: Comparison) -> Content | None:
    found = robustness_frames(comparison.study)
    if found.curves.empty:
        return None
    severities = sorted(found.curves["severity"].unique())
    corruptions = list(dict.fromkeys(found.curves["corruption"]))
    tables = {name: rows(found, name, severities) for name in corruptions}
    pairs = found.pairs.to_dict("records")
    values = {"tables": tables, "severities": severities, "pairs": pairs, "found": found.notes}
    return Content(values, {"robustness": chart(comparison, found.curves)})


def rows(found: Robustness, corruption: str, severities: list[int]) -> list[dict[str, Any]]:
    """A row for each arm: a cell for each severity, None where it lacks, and what the curve says."""
    curves = found.curves[found.curves["corruption"] == corruption]
    areas = {(row["arm"], row["corruption"]): row for row in found.areas.to_dict("records")}
    made = []
    for arm, of_arm in curves.groupby("arm", sort=False):
        cells = {cell["severity"]: cell for cell in of_arm.to_dict("records")}
        summary = areas.get((arm, corruption))
        made.append({"arm": arm, "cells": [cells.get(one) for one in severities], "summary": summary})
    return made
