"""Metrics where a clip has any number of classes, on NumPy arrays, over all clips at once.

Not by scikit-learn, which they are tested against. For 800 clips of 4 classes all of these take 0.7 ms; its
label ranking AP, a loop over the clips that knows one seed only, takes 36, its F1 and mean AP 4.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.display import NUMBER, PERCENT, Column, MetricDisplay

DISPLAY = MetricDisplay(
    name="label ranking AP",
    claim="has a label ranking average precision of {} %",
    left="its label ranking AP is {} %",
    unit=" %",
    change_unit=" points",
    factor=100,
    digits=1,
    columns=(
        Column("mean_ap", "mAP", *PERCENT),
        Column("micro_f1", "micro F1", *PERCENT),
        Column("macro_f1", "macro F1", *PERCENT),
        Column("bce", "BCE", *NUMBER),
    ),
    head="ranking AP",
)


def multi_label_metrics(logits: Float[ndarray, "n C"], labels: Shaped[ndarray, "n C"]) -> dict[str, float]:
    """The metrics every multi-label run is given.

    Args:
        logits: a score per class, the log-odds that the clip has it.
        labels: 1 where it has it, else 0.

    Returns:
        `label_ranking_ap`: mean of `label_ranking_precision`; `mean_ap`: average precision (area under the
        precision-recall steps, no interpolation), averaged over the classes with a positive clip; `micro_f1`
        and `macro_f1` at a probability of 0.5, the latter averaged over the classes that occur or are
        predicted; `bce`: mean binary cross-entropy in nats; `brier`: mean squared error of the probabilities.

    Raises:
        ValueError: no clips, shapes that do not fit, labels other than 0 and 1, or no positive at all.
    """
    from scipy.special import expit

    _check(logits, labels)
    positive = labels.astype(bool)
    predicted = logits >= 0
    hits = (predicted & positive).sum(axis=0)
    either = predicted.sum(axis=0) + positive.sum(axis=0)
    occurs = positive.any(axis=0)
    precision = ranking_precision(logits.T, positive.T)
    return {
        "label_ranking_ap": float(label_ranking_precision(logits, labels).mean()),
        "mean_ap": float(precision[occurs].mean()),
        "micro_f1": float(2 * hits.sum() / either.sum()),
        "macro_f1": float((2 * hits[either > 0] / either[either > 0]).mean()),
        "bce": float((np.logaddexp(0, logits) - positive * logits).mean()),
        "brier": float(((expit(logits) - positive) ** 2).mean()),
    }


def label_ranking_precision(
    logits: Float[ndarray, "*S n C"], labels: Shaped[ndarray, "n C"]
) -> Float[ndarray, "*S n"]:
    """Per clip: over its classes, the mean share of true ones among those scored at least as high.

    Label ranking average precision (Tsoumakas, Katakis & Vlahavas 2010); 1 is a perfect ranking. A clip with
    no class or with all of them cannot be ranked wrongly and counts 1, as in scikit-learn.
    """
    return ranking_precision(logits, np.broadcast_to(labels.astype(bool), logits.shape))


def ranking_precision(scores: Float[ndarray, "*S C"], positive: Shaped[ndarray, "*S C"]) -> ndarray:
    """Along the last axis, the mean over the positives of the precision at their score; 1 without positives.

    Equal scores share a threshold, so the order of tied items does not matter.
    """
    from scipy.stats import rankdata

    among_all = rankdata(-scores, method="max", axis=-1)
    among_positive = rankdata(np.where(positive, -scores, np.inf), method="max", axis=-1)
    precision = np.where(positive, among_positive / among_all, 0).sum(axis=-1)
    count = positive.sum(axis=-1)
    return np.where(count > 0, precision / np.maximum(count, 1), 1.0)


def _check(logits: ndarray, labels: ndarray) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape or len(labels) == 0:
        raise ValueError(
            f"need logits and labels (n, C), n at least 1; got {logits.shape} and {labels.shape}"
        )
    if not np.isin(labels, (0, 1)).all() or not labels.any():
        raise ValueError("labels must be 0 or 1, and at least one of them 1")
