"""How well each arm's probabilities are calibrated, before and after a temperature fitted on validation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
from jaxtyping import Float

from mmvideo.evaluation.calibration import (
    calibration,
    confidences,
    fit_temperature,
    reliability,
    risk_coverage,
    with_temperature,
)
from mmvideo.evaluation.simultaneous import compare_family
from mmvideo.report.given import of_study
from mmvideo.report.runs import ArmRuns, Clips, FinishedRun, StudyRuns

COVERAGES = np.linspace(0.05, 1, 39)
"""Where risk-coverage curves are read."""


@of_study
def calibration_frame(study: StudyRuns) -> pd.DataFrame:
    """A row per arm, each value the mean over its seeds: `evaluation.calibration.Calibration`;
    `temperature` (fitted on each run's validation clips, geometric mean), and with it `nll_scaled` and
    `smooth_ece_scaled`, empty where the data has no validation clips. `unfitted` counts the seeds whose
    validation clips are all right, which fit no temperature: they stay as they are. Single-label tasks only.
    """
    if study.task.kind != "single_label":
        return pd.DataFrame()
    rows = []
    for arm in study.arms:
        runs = pd.DataFrame([_of_run(run, study.clips) for run in arm.runs])
        temperature = float(np.exp(np.log(runs["temperature"]).mean()))
        unfitted = int(runs["unfitted"].sum())
        rows.append({"arm": arm.name, **runs.mean(), "temperature": temperature, "unfitted": unfitted})
    return pd.DataFrame(rows)


def proper_score_differences(study: StudyRuns, references: Mapping[str, str]) -> pd.DataFrame:
    """What each arm's `nll` and `brier` (of the predicted class's probability, as in `calibration_frame`)
    differ by from another's: `arm`, and of each score `…_difference`, `…_low`, `…_high`. Paired by seed and
    clip; intervals over seeds and groups, which hold for all arms together (max-t). Both are means over
    clips, which smooth ECE, AUGRC and CORP's parts are not. Negative: the arm is better.

    Args:
        references: arm → the arm that it is compared with; those that it names with themselves, or not at
            all, are left out.
    """
    names, units = [arm.name for arm in study.arms], study.clips.units
    compared = [(name, references[name]) for name in names if references.get(name, name) != name]
    others = [(names.index(name), names.index(reference)) for name, reference in compared]
    found = pd.DataFrame({"arm": [names[arm] for arm, _ in others]})
    for prefix, of_clips, most in (("nll_", _nll, np.inf), ("brier_", _brier, 1.0)):
        scores = np.stack([[of_clips(run, study.clips) for run in arm.runs] for arm in study.arms])
        tests = compare_family(scores, others, units, limits=(0.0, most))
        for part in ("difference", "low", "high"):
            found[f"{prefix}{part}"] = [getattr(test, part) for test in tests]
    return found


def _nll(run: FinishedRun, clips: Clips) -> Float[np.ndarray, " n"]:
    return -run.outputs[np.arange(len(clips.labels)), clips.labels]


def _brier(run: FinishedRun, clips: Clips) -> Float[np.ndarray, " n"]:
    sure, right = confidences(run.outputs, clips.labels)
    return (sure - right) ** 2


def reliability_curves(study: StudyRuns, arms: Collection[str]) -> pd.DataFrame:
    """Smooth reliability diagrams of the arms so named, all seeds' predictions of an arm together: `arm`,
    `confidence`, `right` (the share that is), `density`. Where confidences do not vary, a single point."""
    rows = []
    for arm in _named(study, arms):
        at, right, density = reliability(*_pooled(arm, study.clips))
        rows.append(pd.DataFrame({"arm": arm.name, "confidence": at, "right": right, "density": density}))
    return pd.concat(rows, ignore_index=True)


def risk_coverage_curves(study: StudyRuns, arms: Collection[str]) -> pd.DataFrame:
    """The error rate among the surest clips, mean over the seeds of each arm so named: `arm`, `coverage`,
    `risk`."""
    rows = []
    for arm in _named(study, arms):
        risks = []
        for run in arm.runs:
            coverage, risk = risk_coverage(*confidences(run.outputs, study.clips.labels))
            risks.append(risk[np.searchsorted(coverage, COVERAGES - 1e-9).clip(max=len(risk) - 1)])
        rows.append(pd.DataFrame({"arm": arm.name, "coverage": COVERAGES, "risk": np.mean(risks, axis=0)}))
    return pd.concat(rows, ignore_index=True)


def _named(study: StudyRuns, arms: Collection[str]) -> list[ArmRuns]:
    return [arm for arm in study.arms if arm.name in arms]


def _of_run(run: FinishedRun, clips: Clips) -> dict[str, float]:
    found = asdict(calibration(run.outputs, clips.labels))
    scaled = {"temperature": np.nan, "nll_scaled": np.nan, "smooth_ece_scaled": np.nan, "unfitted": 0}
    if run.validation is not None:
        temperature = fit_temperature(run.validation.outputs, run.validation.labels)
        after = calibration(with_temperature(run.outputs, temperature or 1.0), clips.labels)
        scaled = {
            "temperature": np.nan if temperature is None else temperature,
            "nll_scaled": after.nll,
            "smooth_ece_scaled": after.smooth_ece,
            "unfitted": int(temperature is None),
        }
    return found | scaled


def _pooled(arm: ArmRuns, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
    each = [confidences(run.outputs, clips.labels) for run in arm.runs]
    return np.concatenate([sure for sure, _ in each]), np.concatenate([right for _, right in each])
