"""Regression and sentiment metrics: answers known by hand, and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmvideo.evaluation.regression import absolute_error, regression_metrics, sentiment_metrics


def test_errors_by_hand() -> None:
    found = regression_metrics(np.array([[1.0], [2.0], [10.0]]), np.array([2.0, 2.0, 7.0]))
    assert found == pytest.approx({"mae": 4 / 3, "rmse": (10 / 3) ** 0.5, "pearson_r": found["pearson_r"]})
    assert found["pearson_r"] == pytest.approx(stats.pearsonr([1, 2, 10], [2, 2, 7]).statistic)


def test_perfect_and_turned_and_constant_predictions() -> None:
    labels = np.array([-3.0, -1.0, 0.0, 2.0])
    assert regression_metrics(labels[:, None], labels)["pearson_r"] == pytest.approx(1)
    turned = regression_metrics(-labels[:, None], labels)
    assert turned["pearson_r"] == pytest.approx(-1)
    assert turned["mae"] == 3
    constant = regression_metrics(np.full((4, 1), 0.3), labels)
    assert constant["pearson_r"] == 0


def test_both_conventions_of_two_class_sentiment() -> None:
    true = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 3.0])
    predicted = np.array([-1.0, 0.5, -0.1, 0.1, 0.0, 2.0])
    found = sentiment_metrics(predicted, true)
    # negative against the rest: -2 ok, -1 wrong, 0 wrong, 0 ok, 1 (0.0 counts as not negative) ok, 3 ok
    assert found["acc2"] == pytest.approx(4 / 6)
    # without zeros: -2 ok, -1 wrong, 1 (0.0 counts as negative) wrong, 3 ok
    assert found["acc2_non0"] == pytest.approx(2 / 4)
    # rounded predictions, halves to even: -1, 0, 0, 0, 0, 2
    assert found["acc7"] == pytest.approx(2 / 6)
    # five classes: a label of 3 and a prediction of 2 are the same
    assert found["acc5"] == pytest.approx(3 / 6)


def test_f1_is_the_mean_of_both_classes_weighted_by_their_clips() -> None:
    true = np.array([-2.0, -1.0, -1.0, 0.0, 1.0])
    predicted = np.array([-1.0, -1.0, 1.0, 1.0, -1.0])
    found = sentiment_metrics(predicted, true)
    # negative: 2 hits, 3 clips, 3 predicted; not negative: 1 hit, 2 clips, 2 predicted
    assert found["f1"] == pytest.approx((3 * 4 / 6 + 2 * 2 / 4) / 5)
    # without the zero: negative as before; positive: no hit, 1 clip, 1 predicted
    assert found["f1_non0"] == pytest.approx((3 * 4 / 6 + 0) / 4)


def test_f1_of_one_class_alone() -> None:
    found = sentiment_metrics(np.array([1.0, 2.0]), np.array([3.0, 0.5]))
    assert found["f1"] == found["f1_non0"] == 1


def test_predictions_beyond_the_scale_count_as_its_ends() -> None:
    assert sentiment_metrics(np.array([9.0, -9.0]), np.array([3.0, -3.0]))["acc7"] == 1


@pytest.mark.parametrize("labels", [[0.0, 0.5, 1.0], [-4.0, 1.0, 2.0], [-1.0, -2.0, -3.0]])
def test_other_scales_get_no_sentiment_metrics(labels: list[float]) -> None:
    found = regression_metrics(np.zeros((3, 1)), np.array(labels))
    assert set(found) == {"mae", "rmse", "pearson_r"}


def test_the_score_of_a_clip_averages_to_the_metric() -> None:
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=(3, 20, 1)), rng.normal(size=20)
    scores = absolute_error(values, labels)
    assert scores.shape == (3, 20)
    assert scores.mean(axis=1) == pytest.approx([regression_metrics(v, labels)["mae"] for v in values])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(3,\)"):
        regression_metrics(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="n at least 1"):
        regression_metrics(np.zeros((0, 1)), np.zeros(0))
