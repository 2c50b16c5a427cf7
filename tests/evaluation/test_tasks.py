"""Each task's clip scores average to its primary metric, and priors know the labels and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmvideo.evaluation.tasks import TASKS, prior_outputs
from mmvideo.vocabulary import TASK_KINDS

RNG = np.random.default_rng(3)
LABELS: dict[Any, np.ndarray] = {
    "single_label": RNG.integers(0, 4, 30),
    "multi_label": (RNG.random((30, 4)) < 0.4).astype(float),
    "regression": RNG.normal(size=30),
}


def outputs_for(kind: Any) -> np.ndarray:
    raw = RNG.normal(size=(30, TASKS[kind].width(4)))
    return raw - np.log(np.exp(raw).sum(axis=1, keepdims=True)) if kind == "single_label" else raw


def test_there_is_a_task_for_every_kind() -> None:
    assert set(TASKS) == set(TASK_KINDS) == set(LABELS)


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_the_primary_metric_is_the_mean_of_the_clips_scores(kind: Any) -> None:
    task, outputs, labels = TASKS[kind], outputs_for(kind), LABELS[kind]
    metrics, scores = task.metrics(outputs, labels), task.clip_scores(outputs, labels)
    assert metrics[task.score] == pytest.approx(scores.mean())
    assert task.loss in metrics
    assert scores.min() >= task.range[0]
    assert scores.max() <= task.range[1]


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_a_better_prediction_scores_better(kind: Any) -> None:
    task, labels = TASKS[kind], LABELS[kind]
    good = {
        "single_label": np.log(np.where(np.eye(4)[LABELS["single_label"]], 0.97, 0.01)),
        "multi_label": 6 * LABELS["multi_label"] - 3,
        "regression": labels[:, None] + 0.01 if kind == "regression" else None,
    }[kind]
    assert good is not None
    better, worse = task.metrics(good, labels), task.metrics(outputs_for(kind), labels)
    assert (better[task.score] > worse[task.score]) == task.higher_is_better
    assert better[task.loss] < worse[task.loss]


def test_priors_by_hand() -> None:
    single = prior_outputs("single_label", np.array([0, 0, 2]), 3)
    assert np.exp(single) == pytest.approx([3 / 6, 1 / 6, 2 / 6])
    multi = prior_outputs("multi_label", np.array([[1, 0, 1], [1, 0, 0]]), 3)
    assert 1 / (1 + np.exp(-multi)) == pytest.approx([3 / 4, 1 / 4, 2 / 4])
    assert prior_outputs("regression", np.array([-1.0, 0.5, 9.0]), 0).tolist() == [0.5]
    with pytest.raises(ValueError, match="at least one label"):
        prior_outputs("regression", np.array([]), 0)


def test_no_constant_has_less_absolute_error_than_the_median_prior() -> None:
    labels = LABELS["regression"]
    least = np.abs(labels - prior_outputs("regression", labels, 0)).mean()
    assert all(np.abs(labels - c).mean() >= least - 1e-12 for c in np.linspace(-3, 3, 61))
