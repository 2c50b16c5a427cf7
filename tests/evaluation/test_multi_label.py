"""Multi-label metrics: answers known by hand, and scikit-learn's on random numbers with many ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mmvideo.evaluation.multi_label import label_ranking_precision, multi_label_metrics


def drawn(seed: int, n: int = 40, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Scores on a coarse grid, so that many are equal, and labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, classes)) < 0.3).astype(float)
    labels[0] = 1
    return rng.integers(-3, 4, size=(n, classes)) / 2, labels


def test_ranking_by_hand() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [5.0, 1.0, 0.0]])
    labels = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    # true one first; third of three; second and third: (1/2 + 2/3)/2; tied with all: 1/3; none to rank: 1
    expected = [1, 1 / 3, (1 / 2 + 2 / 3) / 2, 1 / 3, 1]
    assert label_ranking_precision(scores, labels) == pytest.approx(expected)


def test_a_perfect_and_a_reversed_prediction() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 1]])
    best = multi_label_metrics(20.0 * (2 * labels - 1), labels)
    assert [best[name] for name in ("label_ranking_ap", "mean_ap", "micro_f1", "macro_f1")] == [1, 1, 1, 1]
    assert best["bce"] == pytest.approx(0, abs=1e-8)
    worst = multi_label_metrics(-20.0 * (2 * labels - 1), labels)
    assert worst["micro_f1"] == worst["macro_f1"] == 0
    assert worst["bce"] == pytest.approx(20)
    assert worst["brier"] == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_it_agrees_with_scikit_learn(seed: int) -> None:
    scores, labels = drawn(seed)
    found = multi_label_metrics(scores, labels)
    expected = {
        "label_ranking_ap": reference.label_ranking_average_precision_score(labels, scores),
        "mean_ap": reference.average_precision_score(labels, scores, average="macro"),
        "micro_f1": reference.f1_score(labels, scores >= 0, average="micro"),
        "macro_f1": reference.f1_score(labels, scores >= 0, average="macro"),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_classes_without_a_positive_clip_do_not_count_in_mean_ap() -> None:
    scores, labels = drawn(1)
    wider = np.hstack([labels, np.zeros((len(labels), 1))])
    more = multi_label_metrics(np.hstack([scores, -np.ones((len(labels), 1))]), wider)
    assert more["mean_ap"] == multi_label_metrics(scores, labels)["mean_ap"]
    assert more["macro_f1"] == multi_label_metrics(scores, labels)["macro_f1"]


def test_seeds_are_ranked_each_on_its_own() -> None:
    (a, labels), (b, _) = drawn(1), drawn(2)
    both = label_ranking_precision(np.stack([a, b]), labels)
    assert both.shape == (2, 40)
    assert (both[1] == label_ranking_precision(b, labels)).all()


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one of them 1"):
        multi_label_metrics(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="0 or 1"):
        multi_label_metrics(np.zeros((2, 2)), np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(2, 3\)"):
        multi_label_metrics(np.zeros((2, 2)), np.ones((2, 3)))
