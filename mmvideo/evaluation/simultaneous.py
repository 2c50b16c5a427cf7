"""Intervals that hold together for a family of comparisons: max-t with the family's own correlation.

Comparisons of a family share arms, seeds and clips, so their errors go together and Bonferroni's or Holm's
adjustment is wider than need be. With p_j the two-sided p of comparison j by itself, the family's level is
that of the smallest p: alpha* is where P(min_j U_j < alpha*) = 5 %, for U_j uniform with the dependence of
|Z_j|, Z normal with the comparisons' correlation (single-step max-t: Westfall & Young 1993, ch. 2; Hothorn,
Bretz & Westfall 2008, https://doi.org/10.1002/bimj.200810425). Each interval at 1 - alpha* then covers
together with the others, the adjusted p is P(min_j U_j <= p_j), and a verdict, its adjusted p and its
interval cannot disagree. A step-down variant, as Holm's is, finds more where several differ, and has no
intervals.

The covariance of arms' means is that over groups of clips, plus the seeds' on its diagonal: few seeds tell
nothing of how arms go together beyond the arms that two comparisons share.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import special

from mmvideo.evaluation.spread import group_sums
from mmvideo.evaluation.statistics import ALPHA, UNIT, Levels, PairedComparison, compare_arms

DRAWS = 40_000
_SAME = 1e-6


class MaxT:
    """The level at which each interval of a family is to be taken, and adjusted p values."""

    def __init__(self, factor: Float[ndarray, "k r"]) -> None:
        """
        Args:
            factor: rows whose products are the comparisons' correlations; zeros for one that cannot vary.
                Rows that are the same or each other's negative are one comparison.
        """
        first = np.take_along_axis(factor, np.argmax(np.abs(factor) > _SAME, axis=1)[:, None], axis=1)
        factor = np.unique((factor * np.where(first < 0, -1, 1)).round(6), axis=0)
        self.size = len(factor)
        if self.size > 1:
            drawn = factor.astype(np.float32) @ _normals(factor.shape[1])
            largest = np.maximum(drawn.max(axis=0), -drawn.min(axis=0))
            self._smallest_p = 2 * special.ndtr(-np.sort(largest)[::-1].astype(float))

    def level(self, alpha: float) -> float:
        """The alpha of each interval with which all of them cover with 1 - alpha."""
        if self.size < 2:
            return alpha
        allowed = self._smallest_p[int(alpha * (DRAWS + 1)) - 1]
        return float(np.clip(allowed, alpha / self.size, alpha))

    def adjusted(self, p: float) -> float:
        """Adjusted p: below alpha if and only if p is below `level(alpha)`."""
        if self.size < 2:
            return p
        simulated = (np.searchsorted(self._smallest_p, p, side="right") + 1) / (DRAWS + 1)
        return float(max(p, min(simulated, self.size * p, 1.0)))


def levels_of(
    scores: Shaped[ndarray, "K S n"], weights: Float[ndarray, "k K"], groups: Shaped[ndarray, " n"]
) -> Levels:
    """What each of k weighted sums of K arms, such as differences of two, is held to."""
    together = max_t(scores, weights, groups)
    return Levels(together.level(ALPHA), together.level(2 * ALPHA), together.adjusted)


def max_t(
    scores: Shaped[ndarray, "K S n"], weights: Float[ndarray, "k K"], groups: Shaped[ndarray, " n"]
) -> MaxT:
    """Of k weighted sums of K arms."""
    if len(weights) < 2:
        return MaxT(np.zeros((len(weights), 1)))
    n_arms, n_seeds, n_clips = scores.shape
    sums, sizes = group_sums(scores.reshape(n_arms * n_seeds, n_clips), groups)
    means = sums.reshape(n_arms, n_seeds, -1) / n_clips
    share = sizes / n_clips
    by_group = means.mean(axis=1)
    by_group = by_group - by_group.sum(axis=1, keepdims=True) * share
    by_seed = means.sum(axis=2)
    by_seed = by_seed - by_seed.mean(axis=1, keepdims=True)
    by_seed = by_seed - by_seed.mean(axis=0)  # what a seed does to all arms alike is in no difference
    of_seeds = (by_seed**2).sum(axis=1) / max(n_seeds * (n_seeds - 1), 1)
    of_seeds = (of_seeds + of_seeds.mean()) / 2  # a few seeds' variances, drawn to their mean
    n_groups = len(sizes)
    arms = np.hstack([by_group * np.sqrt(n_groups / (n_groups - 1)), np.diag(np.sqrt(of_seeds))])
    arms = np.asarray(np.linalg.qr(arms.T, mode="r")).T  # the same products, in as few columns as arms
    factor = weights @ arms
    length = np.sqrt((factor**2).sum(axis=1, keepdims=True))
    return MaxT(np.divide(factor, length, out=np.zeros_like(factor), where=length > 0))


def compare_family(
    scores: Shaped[ndarray, "K S n"],
    pairs: Sequence[tuple[int, int]],
    groups: Shaped[ndarray, " n"],
    *,
    limits: tuple[float, float] = UNIT,
    margin: float | None = None,
) -> list[PairedComparison]:
    """Each pair's first arm against its second; intervals, p values and verdicts hold for all together.

    Args:
        scores: of arm k with seed s on clip i.
        margin: differences up to this size, in the score's unit, count as none.

    Raises:
        InputError: as `compare_arms`.
    """
    identity = np.eye(len(scores))
    levels = levels_of(scores, np.array([identity[a] - identity[b] for a, b in pairs]), groups)
    return [
        compare_arms(scores[a], scores[b], groups, limits=limits, margin=margin, levels=levels)
        for a, b in pairs
    ]


@lru_cache(maxsize=4)
def _normals(columns: int) -> ndarray:
    """The same numbers every time, so that a report is a function of its runs."""
    return np.random.default_rng(20070601).standard_normal((columns, DRAWS), dtype=np.float32)
