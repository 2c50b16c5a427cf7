"""The control rows that need no training: what a comparison must beat before the word fusion is earned.

Each gives log-probabilities like an arm, so that it gets the same metrics, interval and pairing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from mmvideo.report.load import Arm, Study
from mmvideo.words import MODALITIES

SCORE_AVERAGE = "score average"
MAJORITY = "majority"
PRESENCE_ONLY = "presence only"

EXPLANATIONS = {
    SCORE_AVERAGE: "the mean of the single-modality arms' probabilities, seed by seed, over what a clip has. "
    "It needs no training beyond theirs; a fusion that does not beat it has learnt nothing jointly.",
    MAJORITY: "the training split's most frequent class for every clip: accuracy without any input.",
    PRESENCE_ONLY: "the most frequent training class among clips with the same modalities present. Where it "
    "beats the majority class, which modalities exist tells about the label, and a gain may come from there.",
}


def score_average(members: Sequence[Arm]) -> Float[ndarray, "S n C"]:
    """Mean probability of single-modality arms, per seed, over the modalities a clip has (all if none).

    Args:
        members: one arm per modality.
    """
    present = np.stack([_has_own_modality(arm) for arm in members])  # (M, n)
    weight = np.where(present.any(axis=0), present, True)
    probabilities = np.exp(np.stack([arm.log_probabilities for arm in members]))  # (M, S, n, C)
    mean = np.einsum("mn,msnc->snc", weight / weight.sum(axis=0), probabilities)
    return np.log(mean)


def majority(train_presence: Mapping[str, Sequence[int]], n_clips: int) -> Float[ndarray, "n C"]:
    """The training split's class frequencies, for every clip.

    Args:
        train_presence: training clips per class, for each presence pattern such as `visual+text`.
    """
    return np.tile(_log_frequencies(np.sum(list(train_presence.values()), axis=0)), (n_clips, 1))


def presence_only(
    train_presence: Mapping[str, Sequence[int]], present: Bool[ndarray, "n M"]
) -> Float[ndarray, "n C"]:
    """Class frequencies of the training clips with the clip's presence pattern; of all, if it is unseen.

    Args:
        train_presence: training clips per class, for each presence pattern such as `visual+text`.
        present: which of visual, audio, text each test clip has, in this order.
    """
    counts = {frozenset(filter(None, name.split("+"))): count for name, count in train_presence.items()}
    overall = np.sum(list(train_presence.values()), axis=0)
    patterns = (frozenset(m for m, here in zip(MODALITIES, row, strict=True) if here) for row in present)
    return np.stack([_log_frequencies(np.asarray(counts.get(pattern, overall))) for pattern in patterns])


def score_average_members(study: Study) -> tuple[Arm, ...]:
    """The arms to average: per modality the single one best on validation. Empty for fewer than two."""
    best: dict[str, Arm] = {}
    for arm in study.arms:
        if arm.unimodal:
            held = best.get(arm.modalities[0])
            if held is None or arm.validation_accuracy > held.validation_accuracy:
                best[arm.modalities[0]] = arm
    return tuple(best[m] for m in MODALITIES if m in best) if len(best) > 1 else ()


def _has_own_modality(arm: Arm) -> Bool[ndarray, " n"]:
    return arm.runs[0].present[:, MODALITIES.index(arm.config.modalities[0])]


def _log_frequencies(counts: ndarray) -> Float[ndarray, " C"]:
    """Laplace's rule (one imaginary clip per class) keeps the likelihood of an unseen class above 0."""
    return np.log((counts + 1) / (counts.sum() + len(counts)))
