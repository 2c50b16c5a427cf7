"""How well each arm's probabilities are calibrated, before and after a temperature fitted on validation."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from mmvideo.evaluation.calibration import (
    calibration,
    confidences,
    fit_temperature,
    reliability,
    risk_coverage,
    with_temperature,
)
from mmvideo.report.runs import ArmRuns, Clips, FinishedRun, StudyRuns

COVERAGES = np.linspace(0.05, 1, 39)
"""Where risk-coverage curves are read."""


def calibration_frame(study: StudyRuns) -> pd.DataFrame:
    """A row per arm, each value the mean over its seeds: `evaluation.calibration.Calibration`;
    `temperature` (fitted on each run's validation clips, geometric mean), and with it `nll_scaled` and
    `smooth_ece_scaled`, empty where the data has no validation clips. Of single-label tasks only.
    """
    if study.task.kind != "single_label":
        return pd.DataFrame()
    rows = []
    for arm in study.arms:
        runs = pd.DataFrame([_of_run(run, study.clips) for run in arm.runs])
        temperature = float(np.exp(np.log(runs["temperature"]).mean()))
        rows.append({"arm": arm.name, **runs.mean().to_dict(), "temperature": temperature})
    return pd.DataFrame(rows)


def reliability_curves(study: StudyRuns) -> pd.DataFrame:
    """Smooth reliability diagrams, all seeds' predictions of an arm together: `arm`, `confidence`,
    `right` (the share that is), `density`. Where confidences do not vary, a single point."""
    rows = []
    for arm in study.arms:
        at, right, density = reliability(*_pooled(arm, study.clips))
        rows.append(pd.DataFrame({"arm": arm.name, "confidence": at, "right": right, "density": density}))
    return pd.concat(rows, ignore_index=True)


def risk_coverage_curves(study: StudyRuns) -> pd.DataFrame:
    """The error rate among the surest clips, mean over an arm's seeds: `arm`, `coverage`, `risk`."""
    rows = []
    for arm in study.arms:
        risks = []
        for run in arm.runs:
            coverage, risk = risk_coverage(*confidences(run.outputs, study.clips.labels))
            risks.append(risk[np.searchsorted(coverage, COVERAGES - 1e-9).clip(max=len(risk) - 1)])
        rows.append(pd.DataFrame({"arm": arm.name, "coverage": COVERAGES, "risk": np.mean(risks, axis=0)}))
    return pd.concat(rows, ignore_index=True)


def _of_run(run: FinishedRun, clips: Clips) -> dict[str, float]:
    found = asdict(calibration(run.outputs, clips.labels))
    scaled = {"temperature": np.nan, "nll_scaled": np.nan, "smooth_ece_scaled": np.nan}
    if run.validation is not None:
        temperature = fit_temperature(run.validation.outputs, run.validation.labels)
        after = calibration(with_temperature(run.outputs, temperature), clips.labels)
        scaled = {
            "temperature": temperature,
            "nll_scaled": after.nll,
            "smooth_ece_scaled": after.smooth_ece,
        }
    return found | scaled


def _pooled(arm: ArmRuns, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
    each = [confidences(run.outputs, clips.labels) for run in arm.runs]
    return np.concatenate([sure for sure, _ in each]), np.concatenate([right for _, right in each])
