"""What the study was made with."""

from __future__ import annotations

from mmvideo.config_diff import flatten
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content

POSITION = 110


def content(comparison: Comparison) -> Content:
    return Content({"provenance": provenance(comparison)})


def provenance(comparison: Comparison) -> dict[str, str]:
    """What the runs' env.json say; values that differ stand side by side."""
    runs = [run for arm in comparison.study.arms for run in arm.runs]
    flat = [flatten(run.environment.model_dump(mode="json", exclude={"version"})) for run in runs]
    values: dict[str, list[str]] = {}
    for record in flat:
        for key, value in record.items():
            held = values.setdefault(key, [])
            if value not in (None, [], "") and str(value) not in held:
                held.append(str(value))
    return {key: " | ".join(held) for key, held in values.items() if held}
