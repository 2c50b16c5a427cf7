"""mmvideo: which way of fusing visual, audio and text is better, by how much, and is it really fusing?

What the command line leaves on disk, from Python, as tidy pandas frames:

    import mmvideo

    study = mmvideo.load_study("runs/mixed")  # finished runs, each held to what made it
    mmvideo.run_frame(study)  # a row per run: settings, scores, costs
    mmvideo.compare(study).table  # a row per arm: interval, difference, verdict
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mmvideo.report import write_report as write_report
    from mmvideo.report.calibration import calibration_frame as calibration_frame
    from mmvideo.report.compare import Comparison as Comparison
    from mmvideo.report.compare import compare as compare
    from mmvideo.report.contributions import contribution_frame as contribution_frame
    from mmvideo.report.frames import curve_frame as curve_frame
    from mmvideo.report.frames import prediction_frame as prediction_frame
    from mmvideo.report.frames import run_frame as run_frame
    from mmvideo.report.frames import subset_frame as subset_frame
    from mmvideo.report.load import load_run as load_run
    from mmvideo.report.load import load_study as load_study
    from mmvideo.report.robustness import robustness_frames as robustness_frames
    from mmvideo.report.runs import StudyRuns as StudyRuns

NAMES = {
    "load_study": "mmvideo.report.load",
    "load_run": "mmvideo.report.load",
    "StudyRuns": "mmvideo.report.runs",
    "run_frame": "mmvideo.report.frames",
    "curve_frame": "mmvideo.report.frames",
    "prediction_frame": "mmvideo.report.frames",
    "subset_frame": "mmvideo.report.frames",
    "calibration_frame": "mmvideo.report.calibration",
    "contribution_frame": "mmvideo.report.contributions",
    "robustness_frames": "mmvideo.report.robustness",
    "compare": "mmvideo.report.compare",
    "Comparison": "mmvideo.report.compare",
    "write_report": "mmvideo.report",
}
"""What can be had of the package itself, and where it is. Each is imported when it is first asked for."""

__all__ = [*NAMES]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'mmvideo' has no attribute '{name}'. It has {', '.join(NAMES)}.")
    return getattr(importlib.import_module(NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *NAMES])
