"""What is said of a score that falls with damage: the area under its curve, and effective robustness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import expit, logit

from mmvideo.errors import InputError
from mmvideo.seeding import derive_seed

LEAST_ARMS = 3
"""Other arms that a line is fitted through, at least."""
RESAMPLES = 1000
EDGE = 0.5
"""Of a clip: shares of 0 and 1 are this far from them in logits."""


def area(scores: Float[ndarray, "V *S n"]) -> Float[ndarray, "*S n"]:
    """The area under the curve of scores over severities, by trapezoids, for each unit of severity.

    It is a mean score, and is divided by no other model's and by no clean score. Linear in the scores: those
    of clips have the area of their mean.

    Args:
        scores: severity 0, which is no damage, first; the severities are one apart.
    """
    if len(scores) < 2:
        raise InputError("an area needs scores at two severities at least, no damage being one of them")
    inner = scores[1:-1].sum(axis=0)
    return ((scores[0] + scores[-1]) / 2 + inner) / (len(scores) - 1)


def effective_robustness(
    clean: Float[ndarray, "A S n"], damaged: Float[ndarray, "A S n"], units: ndarray, *, share: bool
) -> list[tuple[float, float, float]]:
    """For each arm, by how much its score on damaged clips lies above what its clean score predicts.

    Taori et al. (2020, https://arxiv.org/abs/2007.00644): a line through the other models' clean and damaged
    scores, on a logit scale where scores are shares, says what to expect of a model as good as this one. The
    line is fitted through the seeds of all other arms. Intervals (95 %) come of resampling seeds and groups
    of clips, line and all (the pigeonhole bootstrap, Owen 2007): where the others' clean scores are too alike
    to fix a slope, that of an arm far from them is wide. With few seeds they are too narrow, as all of this
    bootstrap's are (`mmvideo.evaluation.statistics`): they say how far the line can be trusted, and earn no
    verdict.

    Args:
        clean, damaged: the score of each arm's seeds on each clip.
        units: which group a clip belongs to.
        share: whether scores are shares, from 0 to 1.

    Returns:
        Value, low and high of each arm; NaN where there are fewer than 3 others.
    """
    arms, seeds, clips = clean.shape
    if arms <= LEAST_ARMS:
        return [(np.nan, np.nan, np.nan)] * arms
    names, of = np.unique(units, return_inverse=True)
    member = np.zeros((clips, len(names)))
    member[np.arange(clips), of] = 1
    sums, sizes = np.stack([clean, damaged]) @ member, member.sum(axis=0)  # (2, A, S, G)
    drawn, weights = _resamples(seeds, len(names))
    means = np.moveaxis(sums @ weights.T, -1, 0) / (weights @ sizes)[:, None, None, None]
    means = np.take_along_axis(means, drawn[:, None, None, :], axis=3)  # (R, 2, A, S)
    found = _residuals(means, clips, share)
    low, high = np.quantile(found[1:], [0.025, 0.975], axis=0)
    return [(float(v), float(a), float(b)) for v, a, b in zip(found[0], low, high, strict=True)]


def _resamples(seeds: int, groups: int) -> tuple[Int[ndarray, "R S"], Float[ndarray, "R G"]]:
    """Which seeds, and how often each group: as they are, then drawn anew."""
    draw = np.random.default_rng(derive_seed("effective robustness"))
    drawn = draw.integers(seeds, size=(RESAMPLES, seeds))
    weights = draw.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    return np.vstack([np.arange(seeds), drawn]), np.vstack([np.ones(groups), weights])


def _residuals(means: Float[ndarray, "R 2 A S"], clips: int, share: bool) -> Float[ndarray, "R A"]:
    """Each arm's mean damaged score less the one that the other arms' line gives at its clean score."""
    x, y = np.moveaxis(_to_logits(means, clips) if share else means, 1, 0)  # (R, A, S) each
    arms = x.shape[1]
    residuals = np.empty(x.shape[:2])
    for arm in range(arms):
        others = np.arange(arms) != arm
        given, seen = (of[:, others].reshape(len(x), -1) for of in (x, y))
        centre, height = given.mean(axis=1, keepdims=True), seen.mean(axis=1, keepdims=True)
        spread = ((given - centre) ** 2).sum(axis=1, keepdims=True)
        rise = ((given - centre) * (seen - height)).sum(axis=1, keepdims=True)
        slope = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 0)
        expected = height + slope * (x[:, arm] - centre)
        residuals[:, arm] = (means[:, 1, arm] - (expit(expected) if share else expected)).mean(axis=1)
    return residuals


def _to_logits(shares: ndarray, clips: int) -> ndarray:
    return np.asarray(logit(shares.clip(EDGE / clips, 1 - EDGE / clips)))
