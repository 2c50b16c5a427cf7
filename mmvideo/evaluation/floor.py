"""The floor: what a linear model makes of plain features. An encoder that stays below it has not learnt."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from mmvideo.evaluation.tasks import TASKS, prior_outputs
from mmvideo.vocabulary import TaskKind

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of the L2 penalty that are tried: `C` of the logistic regression, 1 / `alpha` of the
ridge."""
MOST_STEPS = 300
MOST_DIRECTIONS = 1000
"""Where both columns and training clips are more, the directions in which these vary most are kept."""
CONSTANT = 1e-6
"""A column whose deviation on the training clips is below this is only centred."""


@dataclass(frozen=True)
class PlainBlock:
    """Plain features of one modality, a row for each clip."""

    summary: Float[ndarray, "n F"]
    """Of the whole clip."""
    parts: Float[ndarray, "n P"]
    """Of its parts in time, one after the other; P is 0 where there are none."""
    together: bool = False
    """All columns are on one scale, which is kept: rare words would count too much on scales of their own."""


@dataclass(frozen=True)
class FloorFit:
    """A fitted floor's outputs on the test clips, and what validation chose."""

    outputs: Float[ndarray, "n C"]
    """Like an arm's (see `mmvideo.evaluation.tasks`)."""
    in_parts: bool
    """Whether it reads the parts in time too."""
    strength: float
    val_loss: float


def fit_floor(
    task: TaskKind,
    blocks: Sequence[PlainBlock],
    labels: Shaped[ndarray, "n ..."],
    split: Shaped[ndarray, " n"],
    n_classes: int,
) -> FloorFit:
    """Logistic regression (multi-label: one for each class; regression: ridge) on standardised columns.

    Columns are standardised and the model is fitted on the training clips. Of all strengths, with the parts
    in time and without, validation chooses by the loss. Deterministic.

    Args:
        blocks: those of a modality, or of several, which are concatenated.
        labels: as `TASKS` take them. Those of the test clips are not read.
        split: `train`, `val` or `test` for each clip.
        n_classes: of single-label and multi-label tasks, whether or not training clips have them all.
    """
    with threadpool_limits(1):  # of small matrices: threads that wait for a busy core cost tenfold
        return _best(task, blocks, labels, split, n_classes)


def _best(
    task: TaskKind, blocks: Sequence[PlainBlock], labels: ndarray, split: ndarray, n_classes: int
) -> FloorFit:
    train, val, test = (split == name for name in ("train", "val", "test"))
    judge = TASKS[task]
    found: FloorFit | None = None
    for in_parts in (False, True) if any(block.parts.shape[1] for block in blocks) else (False,):
        values = _rotated(
            np.concatenate([_standardised(block, train, in_parts) for block in blocks], axis=1), train
        )
        for strength in STRENGTHS:
            asked = (values[val], values[test])
            on_val, on_test = _fitted(task, values[train], labels[train], asked, n_classes, strength)
            loss = judge.metrics(on_val, labels[val])[judge.loss]
            if found is None or loss < found.val_loss:
                found = FloorFit(on_test, in_parts, strength, loss)
    assert found is not None
    return found


def _standardised(block: PlainBlock, train: ndarray, in_parts: bool) -> Float[ndarray, "n F"]:
    values = np.concatenate([block.summary, block.parts], axis=1) if in_parts else block.summary
    mean = values[train].mean(axis=0, dtype=np.float64)
    std = values[train].std(axis=0, dtype=np.float64)
    if block.together:
        std = np.full_like(std, np.sqrt(np.square(std).mean()))
    return (values - mean) / np.where(std < CONSTANT, 1.0, std)


def _rotated(values: Float[ndarray, "n F"], train: ndarray) -> Float[ndarray, "n R"]:
    """Coordinates in the space that the training clips span, where these are fewer than columns.

    An L2 penalty keeps the weights in that space, so nothing is lost but time (Hastie & Tibshirani, 2004,
    https://doi.org/10.1093/biostatistics/kxh010).
    """
    if values.shape[1] <= min(train.sum(), MOST_DIRECTIONS):
        return values
    _, _, directions = np.linalg.svd(values[train], full_matrices=False)
    return values @ directions[:MOST_DIRECTIONS].T


def _fitted(
    task: TaskKind,
    features: ndarray,
    labels: ndarray,
    asked: tuple[ndarray, ...],
    n_classes: int,
    strength: float,
) -> tuple[ndarray, ...]:
    """The outputs for each of the `asked` features of a model fitted at one strength."""
    if task == "regression":
        from sklearn.linear_model import Ridge  # not at the top: it takes 0.2 to 0.6 s

        ridge = Ridge(alpha=1 / strength).fit(features, labels)
        return tuple(ridge.predict(part)[:, None] for part in asked)
    if task == "multi_label":
        columns = [_logits(features, column, asked, strength) for column in labels.T]
        return tuple(np.stack(part, axis=1) for part in zip(*columns, strict=True))
    return tuple(_log_probabilities(features, labels, asked, n_classes, strength))


def _log_probabilities(
    features: ndarray, labels: ndarray, asked: tuple[ndarray, ...], n_classes: int, strength: float
) -> list[ndarray]:
    """A class that no training clip has gets what Laplace's rule gives it."""
    prior = prior_outputs("single_label", labels, n_classes)
    seen = np.unique(labels)
    if len(seen) == 1:
        return [np.tile(prior, (len(part), 1)) for part in asked]
    model = _logistic(features, labels, strength)
    found = []
    for part in asked:
        outputs = np.tile(prior, (len(part), 1))
        logits = model.decision_function(part)
        logits = logits if logits.ndim == 2 else np.stack([np.zeros_like(logits), logits], axis=1)
        outputs[:, seen] = log_softmax(logits, axis=1) + np.log(np.exp(prior[seen]).sum())
        found.append(outputs)
    return found


def _logits(features: ndarray, labels: ndarray, asked: tuple[ndarray, ...], strength: float) -> list[ndarray]:
    """Of one class; where all training clips have it, or none, what Laplace's rule gives it."""
    if len(np.unique(labels)) == 1:
        prior = prior_outputs("multi_label", labels[:, None], 1)[0]
        return [np.full(len(part), prior) for part in asked]
    model = _logistic(features, labels, strength)
    return [model.decision_function(part) for part in asked]


def _logistic(features: ndarray, labels: ndarray, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # stopped early, a weak penalty is a candidate like the others
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=MOST_STEPS).fit(features, labels)
