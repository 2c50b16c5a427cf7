"""Classification and calibration metrics of one run's predictions, on NumPy arrays.

Every metric is computed over all clips at once, never averaged over batches.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

ECE_BINS = 15


def classification_metrics(
    log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"]
) -> dict[str, float]:
    """The metrics every run is given.

    Args:
        log_probabilities: natural logarithms of the predicted class probabilities.
        labels: class indices, 0 to C-1.

    Returns:
        `accuracy`; `balanced_accuracy`: mean recall over the classes that occur; `macro_f1`: mean F1 over the
        classes that occur or are predicted; `nll`: mean negative log-likelihood of the label, in nats;
        `brier`: squared error of the probabilities summed over the classes (Brier 1950), 0 to 2; `ece`: gap
        between confidence and accuracy over 15 equal-width bins of confidence (Guo et al. 2017, eq. 3).

    Raises:
        ValueError: no clips, shapes that do not fit, or a label outside 0 to C-1.
    """
    _check(log_probabilities, labels)
    probabilities = np.exp(log_probabilities)
    matrix = confusion_matrix(log_probabilities.argmax(axis=1), labels, log_probabilities.shape[1])
    hits, actual, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    occurs, counted = actual > 0, actual + predicted > 0
    one_hot = np.eye(log_probabilities.shape[1])[labels]
    return {
        "accuracy": float(hits.sum() / len(labels)),
        "balanced_accuracy": float((hits[occurs] / actual[occurs]).mean()),
        "macro_f1": float((2 * hits[counted] / (actual + predicted)[counted]).mean()),
        "nll": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        "brier": float(((probabilities - one_hot) ** 2).sum(axis=1).mean()),
        "ece": expected_calibration_error(log_probabilities, labels),
    }


def expected_calibration_error(
    log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"], bins: int = ECE_BINS
) -> float:
    """Mean |accuracy - confidence| over equal-width bins of the top probability, weighted by their clips.

    A bin holds (low, high], as in Guo et al. 2017. Clips in one bin pool their over- and under-confidence,
    so the value depends on `bins` and is biased upwards for few clips: compare it at equal n only.
    """
    _check(log_probabilities, labels)
    confidence = np.exp(log_probabilities.max(axis=1))
    gap = (log_probabilities.argmax(axis=1) == labels) - confidence
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(bin_of, weights=gap, minlength=bins)).sum() / len(labels))


def confusion_matrix(
    predicted: Int[ndarray, " n"], labels: Int[ndarray, " n"], classes: int
) -> Int[ndarray, "C C"]:
    """Counts of clips: row = label, column = prediction.

    Raises:
        ValueError: no clips, or the two lengths differ.
    """
    if len(labels) == 0 or len(predicted) != len(labels):
        raise ValueError(
            f"need one prediction per label and at least one; got {len(predicted)} and {len(labels)}"
        )
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _check(log_probabilities: ndarray, labels: ndarray) -> None:
    if log_probabilities.ndim != 2 or labels.shape != log_probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"need log-probabilities (n, C) and labels (n,) with n at least 1; "
            f"got {log_probabilities.shape} and {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= log_probabilities.shape[1]:
        raise ValueError(
            f"labels must lie in 0 to {log_probabilities.shape[1] - 1}; got {labels.min()} to {labels.max()}"
        )
