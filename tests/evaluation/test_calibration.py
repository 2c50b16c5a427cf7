"""Calibration against known answers and laws that hold for all predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvideo.evaluation.calibration import (
    TEMPERATURES,
    calibration,
    confidences,
    fit_temperature,
    reliability,
    risk_coverage,
    with_temperature,
)


def _made(n: int, seed: int, temperature: float = 1.0, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities, and labels drawn from them once their logits are divided by a temperature."""
    rng = np.random.default_rng(seed)
    said = with_temperature(rng.normal(0, 2, (n, classes)), 1.0)
    true = np.exp(with_temperature(said, temperature))
    return said, (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, classes - 1)


def test_a_calibrated_model_has_little_error_and_a_temperature_of_one() -> None:
    said, labels = _made(20_000, 0)
    found = calibration(said, labels)
    assert found.smooth_ece < 0.015
    assert found.miscalibration < 0.002
    assert fit_temperature(said, labels) == pytest.approx(1, abs=0.03)


def test_a_model_that_is_too_sure_is_told_and_mended_by_its_temperature() -> None:
    said, labels = _made(20_000, 1, temperature=3.0)
    found = fit_temperature(said, labels)
    assert found == pytest.approx(3, abs=0.15)
    mended = calibration(with_temperature(said, found), labels)
    assert mended.smooth_ece < 0.015 < 0.1 < calibration(said, labels).smooth_ece


def test_without_an_error_there_is_no_best_temperature() -> None:
    """The lowest one allowed was taken, and errors elsewhere were then made with certainty."""
    said, labels = _made(400, 2)
    right = said.argmax(axis=1) == labels
    assert fit_temperature(said[right], labels[right]) is None
    one_wrong = np.flatnonzero(~right)[:1]
    some = np.r_[np.flatnonzero(right), one_wrong]
    assert fit_temperature(said[some], labels[some]) is not None
    lowest = calibration(with_temperature(said, TEMPERATURES[0]), labels)
    assert lowest.nll > 2 * calibration(said, labels).nll, "what it was"


def test_one_class_named_with_certainty() -> None:
    """Sure of 50 clips of which 40 are right: where the error of torchmetrics 1.9 is 0."""
    said = np.log(np.array([[1 - 1e-12, 1e-12]] * 50))
    found = calibration(said, np.array([0] * 40 + [1] * 10))
    assert found.smooth_ece == pytest.approx(0.2, abs=1e-3)
    assert found.brier == pytest.approx(0.2)
    assert found.miscalibration == pytest.approx(0.04)  # what saying 0.8 would save
    assert found.discrimination == pytest.approx(0, abs=1e-12)
    assert found.uncertainty == pytest.approx(0.16)
    assert found.augrc == pytest.approx(0.1)  # a straight line to 0.2
    assert found.aurc == pytest.approx(0.2)


def test_risk_rises_only_where_sure_clips_are_wrong() -> None:
    coverage, risk = risk_coverage(np.array([0.9, 0.8, 0.8, 0.6]), np.array([True, True, False, False]))
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 1 / 3, 1 / 2])


def test_the_best_ranking_has_the_least_area() -> None:
    confidence = np.linspace(0.9, 0.5, 10)
    right = np.arange(10) < 7
    areas = []
    for order in (right, right[::-1]):
        log_probabilities = np.log(np.stack([confidence, 1 - confidence], axis=1))
        areas.append(calibration(log_probabilities, (~order).astype(int)).augrc)
    assert areas[0] == pytest.approx(0.045)  # errors among the 8th to 10th: 0.1, 0.2, 0.3, trapezoids
    assert areas[1] > areas[0]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), classes=st.integers(2, 6), seed=st.integers(0, 10_000), sure=st.floats(0.01, 50))
def test_the_parts_add_up_for_any_predictions(n: int, classes: int, seed: int, sure: float) -> None:
    rng = np.random.default_rng(seed)
    said = with_temperature(rng.normal(0, sure, (n, classes)), 1.0)
    labels = rng.integers(0, classes, n)
    found = calibration(said, labels)
    parts = found.miscalibration - found.discrimination + found.uncertainty
    assert found.brier == pytest.approx(parts, abs=1e-9)
    assert min(found.miscalibration, found.discrimination) >= -1e-9
    assert 0 <= found.smooth_ece <= 1
    assert -1e-12 <= found.augrc <= 0.5 + 1e-12
    at, accuracy, density = reliability(*confidences(said, labels))
    assert ((accuracy >= -1e-9) & (accuracy <= 1 + 1e-9)).all()
    assert np.isfinite(density).all()
    assert at[0] <= at[-1]


def test_no_clips() -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        calibration(np.zeros((0, 3)), np.zeros(0, int))
