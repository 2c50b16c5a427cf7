"""One prediction a clip from several views of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit

from mmvideo.vocabulary import TaskKind

LEAST = 1e-12
"""Mean probabilities are kept this far from 0 and 1, so that their logits stay finite."""


def first_views(ids: Sequence[str]) -> np.ndarray:
    """Where each clip's views begin, given that those of one clip stand together. (clips,) indices."""
    return np.array([i for i, name in enumerate(ids) if i == 0 or ids[i - 1] != name], np.intp)


def mean_over_views(outputs: np.ndarray, starts: np.ndarray, task: TaskKind) -> np.ndarray:
    """The mean over each clip's views, (views, C) → (clips, C): of probabilities, or of predicted numbers.

    Args:
        outputs: natural-log probabilities, logits per class or numbers, as the task has them; so is the
            result.
        starts: as `first_views` gives them.
    """
    counts = np.diff(np.append(starts, len(outputs)))[:, None]
    if task == "single_label":
        return np.logaddexp.reduceat(outputs, starts, axis=0) - np.log(counts)
    if task == "multi_label":
        mean = np.add.reduceat(expit(outputs), starts, axis=0) / counts
        return logit(np.clip(mean, LEAST, 1 - LEAST))
    return np.add.reduceat(outputs, starts, axis=0) / counts
