"""Averages over views, against the same computed one clip at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from mmvideo.evaluation.views import first_views, mean_over_views

RNG = np.random.default_rng(0)
COUNTS = (3, 1, 4)
IDS = [name for name, count in zip("abc", COUNTS, strict=True) for _ in range(count)]
STARTS = [0, 3, 4]
PARTS = [slice(0, 3), slice(3, 4), slice(4, 8)]


def test_where_clips_begin() -> None:
    assert first_views(IDS).tolist() == STARTS
    assert first_views([]).tolist() == []


def test_probabilities_of_classes_are_averaged() -> None:
    outputs = log_softmax(5 * RNG.normal(size=(8, 4)), axis=1)
    mean = mean_over_views(outputs, first_views(IDS), "single_label")
    expected = np.array([np.exp(outputs[part]).mean(axis=0) for part in PARTS])
    np.testing.assert_allclose(np.exp(mean), expected, rtol=1e-12)
    np.testing.assert_allclose(np.exp(mean).sum(axis=1), 1, rtol=1e-12)


def test_probabilities_of_labels_are_averaged_and_stay_finite() -> None:
    outputs = RNG.normal(size=(8, 4))
    mean = mean_over_views(outputs, first_views(IDS), "multi_label")
    expected = np.array([expit(outputs[part]).mean(axis=0) for part in PARTS])
    np.testing.assert_allclose(expit(mean), expected, rtol=1e-9)
    assert np.isfinite(mean_over_views(np.full((8, 1), 800.0), first_views(IDS), "multi_label")).all()


def test_numbers_are_averaged() -> None:
    mean = mean_over_views(np.arange(8.0)[:, None], first_views(IDS), "regression")
    assert mean[:, 0].tolist() == [1.0, 3.0, 5.5]


def test_a_certain_view_does_not_break_the_mean() -> None:
    outputs = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    mean = mean_over_views(outputs, np.array([0]), "single_label")
    assert np.exp(mean[0]) == pytest.approx([0.5, 0.5])
