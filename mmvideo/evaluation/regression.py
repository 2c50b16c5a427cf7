"""Metrics where a clip's label is a number, on NumPy arrays, over all clips at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from mmvideo.evaluation.display import NUMBER, PERCENT, Column, MetricDisplay

SENTIMENT = 3.0
"""Sentiment is rated from -3 to 3 (CMU-MOSI, Zadeh et al. 2016)."""

DISPLAY = MetricDisplay(
    name="mean absolute error",
    claim="has a mean absolute error of {}",
    left="its mean absolute error is {}",
    unit="",
    change_unit="",
    factor=1,
    digits=3,
    columns=(
        Column("rmse", "RMSE", *NUMBER),
        Column("pearson_r", "r", *NUMBER),
        Column("acc2", "Acc-2", *PERCENT),
        Column("acc2_non0", "Non0", *PERCENT),
        Column("f1", "F1", *PERCENT, terminal=False),
        Column("f1_non0", "F1 Non0", *PERCENT, terminal=False),
        Column("acc7", "Acc-7", *PERCENT),
        Column("acc5", "Acc-5", *PERCENT, terminal=False),
    ),
    head="MAE",
)


def regression_metrics(values: Float[ndarray, "n 1"], labels: Float[ndarray, " n"]) -> dict[str, float]:
    """The metrics every regression run is given.

    Returns:
        `mae`: mean absolute error; `rmse`: root of the mean squared error; `pearson_r`: linear correlation,
        0 where predictions or labels do not vary. Where the labels have both signs and none lies outside
        -3 to 3, also those of `sentiment_metrics`.

    Raises:
        ValueError: no clips, or shapes that do not fit.
    """
    if values.ndim != 2 or values.shape != (len(labels), 1) or len(labels) == 0:
        raise ValueError(
            f"need values (n, 1) and labels (n,), n at least 1; got {values.shape} and {labels.shape}"
        )
    predicted, true = values[:, 0].astype(float), labels.astype(float)
    error = predicted - true
    metrics = {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "pearson_r": _pearson(predicted, true),
    }
    if on_sentiment_scale(true):
        metrics |= sentiment_metrics(predicted, true)
    return metrics


def on_sentiment_scale(labels: Float[ndarray, " n"]) -> bool:
    """Whether labels have both signs and lie within -3 to 3."""
    return bool(labels.min() < 0 < labels.max() and np.abs(labels).max() <= SENTIMENT)


def sentiment_metrics(predicted: Float[ndarray, " n"], true: Float[ndarray, " n"]) -> dict[str, float]:
    """The field's sentiment metrics, in both conventions of the two-class ones (as in MMSA).

    Returns:
        `acc2` and `f1`: negative against non-negative, all clips; `acc2_non0` and `f1_non0`: negative against
        positive, without the clips labelled 0 (a prediction of 0 counts as negative); `acc7` and `acc5`: the
        nearest whole number, from -3 to 3 or from -2 to 2, is the label's (halves go to the even one). F1 is
        the mean over the two classes, weighted by their clips.

    Raises:
        ValueError: every label is 0.
    """
    from sklearn.metrics import f1_score  # not at the top: it takes 0.2 to 0.6 s

    rated = true != 0
    if not rated.any():
        raise ValueError("sentiment without zeros needs a label other than 0")
    return {
        "acc2": float(((predicted >= 0) == (true >= 0)).mean()),
        "f1": float(f1_score(true >= 0, predicted >= 0, average="weighted")),
        "acc2_non0": float(((predicted > 0) == (true > 0))[rated].mean()),
        "f1_non0": float(f1_score((true > 0)[rated], (predicted > 0)[rated], average="weighted")),
        "acc7": float((_nearest_rating(predicted, 3) == _nearest_rating(true, 3)).mean()),
        "acc5": float((_nearest_rating(predicted, 2) == _nearest_rating(true, 2)).mean()),
    }


def absolute_error(values: Float[ndarray, "*S n 1"], labels: Float[ndarray, " n"]) -> Float[ndarray, "*S n"]:
    """Per clip, how far the prediction is off."""
    return np.abs(values[..., 0] - labels)


def _nearest_rating(values: ndarray, most: int) -> ndarray:
    return np.round(np.clip(values, -most, most))


def _pearson(a: Float[ndarray, " n"], b: Float[ndarray, " n"]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))
