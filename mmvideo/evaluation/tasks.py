"""What each task is measured by: its metrics, and the score per clip that arms are compared by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from mmvideo.evaluation import metrics, multi_label, regression
from mmvideo.evaluation.display import MetricDisplay
from mmvideo.vocabulary import TaskKind


@dataclass(frozen=True)
class Task:
    """How outputs of one kind are judged.

    Outputs are (n, C) log-probabilities, (n, C) logits (multi-label) or (n, 1) values (regression), labels
    (n,) class indices, (n, C) of 0 and 1, or (n,) numbers.
    """

    kind: TaskKind
    outputs: str
    """The key of a clip's outputs in prediction files."""
    score: str
    """The primary metric: the mean over the clips of `clip_scores`."""
    loss: str
    """The metric that chooses the epoch on validation; lower is better."""
    higher_is_better: bool
    range: tuple[float, float]
    """What a clip's score can be."""
    metrics: Callable[[ndarray, ndarray], dict[str, float]]
    """(outputs (n, C), labels) → all metrics."""
    clip_scores: Callable[[ndarray, ndarray], Shaped[ndarray, "*S n"]]
    """(outputs (..., n, C), labels) → score of every clip (..., n)."""
    display: MetricDisplay
    """How its metrics are written."""
    margin: float | None
    """Differences of scores up to this size count as none, where nobody says otherwise; None: scores have a
    unit of the data's own, so that somebody has to."""

    def width(self, n_classes: int) -> int:
        """Outputs per clip."""
        return 1 if self.kind == "regression" else n_classes


def hits(log_probabilities: Float[ndarray, "*S n C"], labels: ndarray) -> Shaped[ndarray, "*S n"]:
    """Per clip, whether the most probable class is the label."""
    return log_probabilities.argmax(axis=-1) == labels


def prior_outputs(kind: TaskKind, labels: ndarray, n_classes: int) -> Float[ndarray, " C"]:
    """The outputs for a clip of which nothing is known but the training split's labels.

    Log frequencies of the classes; the log-odds of each class (multi-label), both with one imaginary clip
    with and, in multi-label, one without each class (Laplace's rule), so that all are finite; or the median,
    which has the least mean absolute error (regression).

    Raises:
        ValueError: no labels.
    """
    if len(labels) == 0:
        raise ValueError("a prior needs at least one label")
    if kind == "regression":
        return np.array([np.median(labels)])
    if kind == "multi_label":
        positives = labels.sum(axis=0)
        return np.log(positives + 1) - np.log(len(labels) - positives + 1)
    counts = np.bincount(labels, minlength=n_classes)
    return np.log((counts + 1) / (counts.sum() + n_classes))


TASKS: dict[TaskKind, Task] = {
    "single_label": Task(
        "single_label", "log_probabilities", "accuracy", "nll", True, (0, 1),
        metrics.classification_metrics, hits, metrics.DISPLAY, 0.01,
    ),
    "multi_label": Task(
        "multi_label", "logits", "label_ranking_ap", "bce", True, (0, 1),
        multi_label.multi_label_metrics, multi_label.label_ranking_precision, multi_label.DISPLAY, 0.01,
    ),
    "regression": Task(
        "regression", "values", "mae", "mae", False, (0, math.inf),
        regression.regression_metrics, regression.absolute_error, regression.DISPLAY, None,
    ),
}  # fmt: skip
