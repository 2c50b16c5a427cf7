"""What is said of a score that falls with damage: the area under its curve, and effective robustness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
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
    member = np.zeros((len(names), clips))
    member[of, np.arange(clips)] = 1
    both = np.stack([clean, damaged])
    sums, sizes = both @ member.T, member.sum(axis=1)  # (2, A, S, G)
    draw = np.random.default_rng(derive_seed("effective robustness"))
    found = np.array([
        _residuals(sums[:, :, drawn_seeds], sums_of, sizes, clips, share)
        for drawn_seeds, sums_of in _weights(draw, seeds, len(names))
    ])  # fmt: skip
    value, resampled = found[0], found[1:]
    low, high = np.nanquantile(resampled, [0.025, 0.975], axis=0)
    return [(float(v), float(a), float(b)) for v, a, b in zip(value, low, high, strict=True)]


def _weights(draw: np.random.Generator, seeds: int, groups: int) -> list[tuple[ndarray, ndarray]]:
    """Which seeds, and how often each group: as they are, then resampled."""
    first = (np.arange(seeds), np.ones(groups))
    return [first] + [
        (draw.integers(seeds, size=seeds), np.bincount(draw.integers(groups, size=groups), minlength=groups))
        for _ in range(RESAMPLES)
    ]


def _residuals(
    sums: Float[ndarray, "2 A S G"], weight: ndarray, sizes: ndarray, clips: int, share: bool
) -> Float[ndarray, " A"]:
    """Each arm's mean damaged score less the one that the other arms' line gives at its clean score."""
    means = (sums @ weight) / (weight @ sizes)  # (2, A, S)
    x, y = _to_logits(means, clips) if share else means
    residuals = np.empty(len(x))
    for arm in range(len(x)):
        others = np.arange(len(x)) != arm
        given, seen = x[others].ravel(), y[others].ravel()
        spread = ((given - given.mean()) ** 2).sum()
        slope = ((given - given.mean()) * (seen - seen.mean())).sum() / spread if spread > 0 else 0.0
        expected = seen.mean() + slope * (x[arm] - given.mean())
        residuals[arm] = (means[1, arm] - (expit(expected) if share else expected)).mean()
    return residuals


def _to_logits(shares: ndarray, clips: int) -> ndarray:
    return np.asarray(logit(shares.clip(EDGE / clips, 1 - EDGE / clips)))
