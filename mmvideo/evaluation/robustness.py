"""What is said of a score that falls with damage: the area under its curve, and effective robustness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import expit, logit, stdtrit

from mmvideo.errors import InputError
from mmvideo.evaluation.statistics import ALPHA
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
    line is fitted through the seeds of all other arms.

    Intervals (95 %) have two parts, combined as MOVER does (Zou & Donner 2008): resampled seeds and groups
    of clips, line and all (the pigeonhole bootstrap, Owen 2007), and what a line through so few models leaves
    open, which lie about it and not on it (`line_half_widths`). So they are wide where others are few or too
    alike to fix a slope, and earn no verdict. experiments/robustness_errors.py says how often they cover,
    with and without the second part.

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
    found = distances(means, clips, share=share)
    value, (low, high) = found[0], np.quantile(found[1:], [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    line, most = line_half_widths(means[0], clips, share=share), 1.0 if share else np.inf
    low = np.maximum(value - np.hypot(np.maximum(value - low, 0), line), -most)
    high = np.minimum(value + np.hypot(np.maximum(high - value, 0), line), most)
    return [(float(v), float(a), float(b)) for v, a, b in zip(value, low, high, strict=True)]


def _resamples(seeds: int, groups: int) -> tuple[Int[ndarray, "R S"], Float[ndarray, "R G"]]:
    """Which seeds, and how often each group: as they are, then drawn anew."""
    draw = np.random.default_rng(derive_seed("effective robustness"))
    drawn = draw.integers(seeds, size=(RESAMPLES, seeds))
    weights = draw.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    return np.vstack([np.arange(seeds), drawn]), np.vstack([np.ones(groups), weights])


def distances(means: Float[ndarray, "R 2 A S"], clips: int, *, share: bool) -> Float[ndarray, "R A"]:
    """Each arm's mean damaged score less the one that the other arms' line gives at its clean score.

    Args:
        means: clean and damaged scores of each arm's seeds.
        clips: that they are means over.
    """
    x, y = np.moveaxis(_to_logits(means, clips) if share else means, 1, 0)  # (R, A, S) each
    arms = x.shape[1]
    found = np.empty(x.shape[:2])
    for arm in range(arms):
        others = np.arange(arms) != arm
        given, seen = (of[:, others].reshape(len(x), -1) for of in (x, y))
        centre, height = given.mean(axis=1, keepdims=True), seen.mean(axis=1, keepdims=True)
        spread = ((given - centre) ** 2).sum(axis=1, keepdims=True)
        rise = ((given - centre) * (seen - height)).sum(axis=1, keepdims=True)
        slope = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 0)
        expected = height + slope * (x[:, arm] - centre)
        found[:, arm] = (means[:, 1, arm] - (expit(expected) if share else expected)).mean(axis=1)
    return found


def line_half_widths(means: Float[ndarray, "2 A S"], clips: int, *, share: bool) -> Float[ndarray, " A"]:
    """Half the 95 % interval of the others' line at each arm's clean score: that of a regression through the
    other arms' means (Draper & Smith 1998, ch. 3), with t on A - 3 degrees of freedom. Arguments as of
    `distances`."""
    x, y = (_to_logits(means, clips) if share else means).mean(axis=2)  # (A,) each
    arms = len(x)
    found = np.empty(arms)
    for arm in range(arms):
        others = np.arange(arms) != arm
        given, seen = x[others], y[others]
        centre, away = given.mean(), x[arm] - given.mean()
        spread = ((given - centre) ** 2).sum()
        slope = ((given - centre) * seen).sum() / spread if spread > 0 else 0.0
        scatter = ((seen - seen.mean() - slope * (given - centre)) ** 2).sum() / (arms - 3)
        lever = 1 / (arms - 1) + (away**2 / spread if spread > 0 else 0.0)
        expected = expit(seen.mean() + slope * away)
        half = -stdtrit(arms - 3, ALPHA / 2) * np.sqrt(scatter * lever)
        found[arm] = half * expected * (1 - expected) if share else half
    return found


def _to_logits(shares: ndarray, clips: int) -> ndarray:
    return np.asarray(logit(shares.clip(EDGE / clips, 1 - EDGE / clips)))
