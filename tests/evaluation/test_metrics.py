from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mmvideo.evaluation.metrics import classification_metrics, expected_calibration_error

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2], [0.25, 0.35, 0.4]])
LABELS = np.array([0, 1, 1, 2])


def test_known_answers() -> None:
    metrics = classification_metrics(np.log(PROBABILITIES), LABELS)
    assert metrics["accuracy"] == 0.75
    assert metrics["balanced_accuracy"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert metrics["nll"] == pytest.approx(-np.log([0.7, 0.6, 0.3, 0.4]).mean())
    brier = [
        0.3**2 + 0.2**2 + 0.1**2,
        0.1**2 + 0.4**2 + 0.3**2,
        0.5**2 + 0.7**2 + 0.2**2,
        0.25**2 + 0.35**2 + 0.36,
    ]
    assert metrics["brier"] == pytest.approx(np.mean(brier))
    # the four confidences fall into four different bins
    assert metrics["ece"] == pytest.approx((0.3 + 0.4 + 0.5 + 0.6) / 4)


def test_calibration_pools_within_a_bin() -> None:
    # two clips at confidence 0.5, one right: calibrated, though each alone is off by a half
    log_probabilities = np.log([[0.5, 0.3, 0.2], [0.5, 0.2, 0.3]])
    assert expected_calibration_error(log_probabilities, np.array([0, 1])) == pytest.approx(0)


def test_certain_and_right_is_perfect() -> None:
    with np.errstate(divide="ignore"):
        metrics = classification_metrics(np.log(np.eye(3)), np.arange(3))
    assert metrics["ece"] == metrics["brier"] == metrics["nll"] == 0
    assert metrics["macro_f1"] == 1


def test_an_absent_class_does_not_count() -> None:
    metrics = classification_metrics(np.log(PROBABILITIES[:2]), LABELS[:2])
    assert metrics["balanced_accuracy"] == metrics["macro_f1"] == 1


@pytest.mark.parametrize("classes", [1, 2, 5, 40])
def test_agrees_with_counting_class_by_class(classes: int) -> None:
    rng = np.random.default_rng(classes)
    log_probabilities = np.log(rng.dirichlet(np.ones(classes), 60))
    labels = rng.integers(max(1, classes - 2), size=60)  # classes that never occur, but may be predicted
    predicted = log_probabilities.argmax(axis=1)
    recalls, f1s = [], []
    for c in range(classes):
        hits, actual = ((predicted == c) & (labels == c)).sum(), (labels == c).sum()
        said = (predicted == c).sum()
        if actual:
            recalls.append(hits / actual)
        if actual + said:
            f1s.append(2 * hits / (actual + said))
    found = classification_metrics(log_probabilities, labels)
    assert found["accuracy"] == (predicted == labels).mean()
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls), rel=0, abs=1e-12)
    assert found["macro_f1"] == pytest.approx(np.mean(f1s), rel=0, abs=1e-12)


def test_calibration_error_is_the_sum_over_bins() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(5), 400)
    probabilities[0] = np.eye(5)[0]  # a confidence of exactly 1 belongs to the last bin
    labels = rng.integers(5, size=400)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    with np.errstate(divide="ignore"):
        found = expected_calibration_error(np.log(probabilities), labels)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("log_probabilities", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "at least 1"),
        (np.zeros((2, 3)), np.zeros(3, int), "got"),
        (np.zeros((2, 3)), np.array([0, 3]), "0 to 2"),
        (np.zeros((2, 3)), np.array([-1, 0]), "0 to 2"),
    ],
)
def test_refusals(log_probabilities: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification_metrics(log_probabilities, labels)


@given(
    logits=arrays.arrays(float, (12, 4), elements=st.floats(-8, 8)),
    labels=arrays.arrays(int, 12, elements=st.integers(0, 3)),
)
def test_ranges_and_order(logits: np.ndarray, labels: np.ndarray) -> None:
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    metrics = classification_metrics(log_probabilities, labels)
    assert all(0 <= metrics[name] <= 1 for name in ("accuracy", "balanced_accuracy", "macro_f1", "ece"))
    assert 0 <= metrics["brier"] <= 2
    order = np.argsort(logits[:, 0])
    turned = classification_metrics(log_probabilities[order], labels[order])
    assert turned == pytest.approx(metrics)


def test_top_five_of_six_classes() -> None:
    log_probabilities = np.log(np.array([[0.3, 0.25, 0.2, 0.15, 0.06, 0.04]] * 3))
    assert classification_metrics(log_probabilities, np.array([0, 4, 5]))["top5_accuracy"] == pytest.approx(
        2 / 3
    )
    assert "top5_accuracy" not in classification_metrics(log_probabilities[:, :5], np.array([0, 4, 3]))
