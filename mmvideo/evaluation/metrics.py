"""Classification and calibration metrics of one run's predictions, on NumPy arrays.

Every metric is computed over all clips at once, never averaged over batches.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from mmvideo.evaluation.display import NUMBER, PERCENT, SHORT, Column, MetricDisplay

ECE_BINS = 15
TOP = 5

DISPLAY = MetricDisplay(
    name="accuracy",
    claim="is right on {} % of the test clips",
    left="its accuracy is {} %",
    unit=" %",
    change_unit=" points",
    factor=100,
    digits=1,
    columns=(
        Column("nll", "NLL", *SHORT),
        Column("ece", "ECE", *NUMBER),
        Column("balanced_accuracy", "bal. acc", *PERCENT),
        Column("top5_accuracy", "top-5", *PERCENT, terminal=False),
    ),
    head="accuracy",
)


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
        between confidence and accuracy over 15 equal-width bins of confidence (Guo et al. 2017, eq. 3);
        of more than five classes, `top5_accuracy`: share of clips where fewer than five classes are likelier
        than the label.

    Raises:
        ValueError: no clips, shapes that do not fit, or a label outside 0 to C-1.
    """
    from sklearn.metrics import precision_recall_fscore_support  # not at the top: it takes 0.2 to 0.6 s

    _check(log_probabilities, labels)
    probabilities, predicted = np.exp(log_probabilities), log_probabilities.argmax(axis=1)
    # of the classes that occur or are predicted; one call, since each takes about 0.9 ms
    _, recall, f1, clips = precision_recall_fscore_support(labels, predicted, zero_division=0)
    one_hot = np.eye(log_probabilities.shape[1])[labels]
    return {
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": float(recall[clips > 0].mean()),
        "macro_f1": float(f1.mean()),
        "nll": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        "brier": float(((probabilities - one_hot) ** 2).sum(axis=1).mean()),
        "ece": expected_calibration_error(log_probabilities, labels),
        **_top(log_probabilities, labels),
    }


def _top(log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"]) -> dict[str, float]:
    of_label = log_probabilities[np.arange(len(labels)), labels]
    likelier = (log_probabilities > of_label[:, None]).sum(axis=1)
    return {"top5_accuracy": float((likelier < TOP).mean())} if log_probabilities.shape[1] > TOP else {}


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
