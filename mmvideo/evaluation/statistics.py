"""Intervals and tests for scores measured with several seeds on clips that come in groups.

What an interval is made of stands in `mmvideo.evaluation.spread`. In simulations
(experiments/interval_coverage.py) it covers 94-99 % from no to large seed noise. The two-way variance with a
z quantile falls to 82 %, with Satterthwaite's t to 93 %; t with S-1 degrees of freedom sits at 100 %; the
crossed bootstrap runs from 100 % down to 83 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from scipy import optimize, special

from mmvideo.errors import InputError
from mmvideo.evaluation.spread import LEVEL, Spread, spread_of

POWER = 0.80
MOST_SEEDS = 50
"""Up to so many seeds a number is named."""
_ENDLESS = 1_000_000
_SMALLEST_P = 1e-12
ONE_SEED = "no verdict (one seed)"
UNIT = (0.0, 1.0)
"""The range of a share, such as accuracy: whether a clip is right, or a score from 0 to 1."""


@dataclass(frozen=True)
class ArmInterval:
    """One arm's mean over seeds and clips with its 95 % interval."""

    mean: float
    low: float
    high: float
    seed_std: float | None
    """Standard deviation over the seeds' means; None for one seed."""
    n_seeds: int
    n_clips: int
    n_groups: int
    clips_only: bool
    """One seed: the interval allows for other clips, not for another seed."""


@dataclass(frozen=True)
class PairedComparison:
    """Arm A against arm B on the same seeds and clips. Positive: A's scores are higher."""

    difference: float
    low: float
    high: float
    """Limits of the 95 % interval, unadjusted for the number of comparisons."""
    p: float
    """Two-sided, unadjusted: below 0.05 if and only if the interval leaves out 0."""
    n_seeds: int
    n_clips: int
    n_groups: int
    seeds_needed: int | None
    """About how many seeds until a true difference of this size would be found with 80 % power, rounded up,
    since few seeds tell no more; `MOST_SEEDS` + 1 stands for more. None: more clips are needed."""
    clips_only: bool
    """One seed: interval and p allow for other clips, not for another seed."""


def interval_for_arm(
    scores: Shaped[ndarray, "S n"],
    groups: Shaped[ndarray, " n"],
    *,
    limits: tuple[float, float] = UNIT,
    level: float = LEVEL,
) -> ArmInterval:
    """Mean score of one arm with an interval, of 95 % by default, over seeds and groups of clips.

    Args:
        scores: of seed s on clip i, such as whether it is right.
        groups: which group each clip belongs to; a group may be one clip.
        limits: the lowest and the highest score there can be.
        level: the interval's coverage.

    Raises:
        InputError: fewer than 2 groups, no seed, or shapes that do not fit.
    """
    values = np.asarray(scores, dtype=float)
    spread = spread_of(values, groups, float(np.abs(values).max(initial=0)))
    low, high = _interval(spread, limits, level)
    return ArmInterval(
        mean=spread.mean,
        low=low,
        high=high,
        seed_std=float(np.std(np.mean(scores, axis=1), ddof=1)) if spread.n_seeds > 1 else None,
        n_seeds=spread.n_seeds,
        n_clips=len(groups),
        n_groups=len(np.unique(groups)),
        clips_only=spread.n_seeds == 1,
    )


def compare_arms(
    a: Shaped[ndarray, "S n"],
    b: Shaped[ndarray, "S n"],
    groups: Shaped[ndarray, " n"],
    *,
    comparisons: int = 1,
    limits: tuple[float, float] = UNIT,
) -> PairedComparison:
    """Difference in mean score of arm A and arm B, paired by seed and by clip.

    Args:
        a, b: the score of seed s on clip i; the same seeds and clips in both, in the same order.
        groups: which group each clip belongs to; a group may be one clip.
        comparisons: size of the family this one will be adjusted for; only `seeds_needed` depends on it.
        limits: the lowest and the highest score there can be.

    Raises:
        InputError: fewer than 2 groups, no seed, or shapes that do not fit.
    """
    if a.shape != b.shape:
        raise InputError(f"paired arms need the same seeds and clips; got arrays of {a.shape} and {b.shape}")
    a, b = a.astype(float), b.astype(float)
    spread = spread_of(a - b, groups, float(np.abs(np.stack([a, b])).max(initial=0)))
    width = limits[1] - limits[0]
    low, high = _interval(spread, (-width, width), LEVEL)
    return PairedComparison(
        difference=spread.mean,
        low=low,
        high=high,
        p=_p_value(spread, width),
        n_seeds=spread.n_seeds,
        n_clips=len(groups),
        n_groups=len(np.unique(groups)),
        seeds_needed=_seeds_needed(spread, (1 - LEVEL) / comparisons),
        clips_only=spread.n_seeds == 1,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values (1979): they bound the chance of any false finding in a family."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    return [float(p) for p in adjusted]


def verdict(comparison: PairedComparison, adjusted_p: float, *, higher_is_better: bool = True) -> str:
    """The word for a comparison: `better`, `worse`, `no verdict (one seed)`, or `not distinguishable` with
    what it needs: `about N seeds`, `more than 50 seeds`, `more clips`; or, of two seeds, which do not tell
    how many, `more seeds`.

    Where scores are errors (`higher_is_better` false), arm A is better if the difference is negative.

    The word follows the Holm-adjusted p at 0.05, the printed interval is unadjusted: in a family of several
    comparisons an interval may leave out 0 while the word is still `not distinguishable`, never the reverse.
    One seed says nothing about the spread over seeds, so it never earns `better` or `worse`.
    """
    if comparison.clips_only:
        return ONE_SEED
    if adjusted_p < 1 - LEVEL:
        return "better" if (comparison.difference > 0) == higher_is_better else "worse"
    needed = comparison.seeds_needed
    if needed is None:
        what = "more clips"
    elif needed > MOST_SEEDS:
        what = f"more than {MOST_SEEDS} seeds"
    else:
        what = "more seeds" if comparison.n_seeds == 2 else f"about {needed} seeds"
    return f"not distinguishable (needs {what})"


def _interval(spread: Spread, limits: tuple[float, float], level: float) -> tuple[float, float]:
    """The interval of a mean of scores that lie between the limits."""
    low, high = limits
    if not spread.alike:
        half = spread.half_width(1 - level)
        return max(low, spread.mean - half), min(high, spread.mean + half)
    if math.isinf(high - low):
        half = 0.0 if 2 ** (1 - spread.n_groups) < 1 - level else math.inf
        return max(low, spread.mean - half), min(high, spread.mean + half)
    others = 1 - ((1 - level) / 2) ** (1 / spread.n_groups)
    return spread.mean - others * (spread.mean - low), spread.mean + others * (high - spread.mean)


def _p_value(spread: Spread, width: float) -> float:
    """The level at which the interval of a difference has its limit at 0, not below `_SMALLEST_P`.

    Args:
        width: the largest difference there can be.
    """
    size = abs(spread.mean)
    if spread.alike:
        share = 1.0 if math.isinf(width) else size / width
        unlikely = 2 * (1 + share) ** -spread.n_groups  # at the largest difference: the sign test's p
        return 1.0 if size == 0 else float(np.clip(unlikely, _SMALLEST_P, 1))
    if size >= spread.half_width(_SMALLEST_P):
        return _SMALLEST_P
    return float(optimize.brentq(lambda alpha: spread.half_width(alpha) - size, _SMALLEST_P, 1.0))


def _seeds_needed(spread: Spread, alpha: float) -> int | None:
    """The fewest seeds at which the difference seen exceeds the half-width by enough for 80 % power, rounded
    up. None where no number of them is enough, or where it is the clips that most is uncertain for."""

    def found(n_seeds: int) -> bool:
        variance = max(spread.seeds * spread.n_seeds / n_seeds + spread.groups, spread.clips_alone(n_seeds))
        return abs(spread.mean) >= spread.half_width(alpha, n_seeds) + special.ndtri(POWER) * np.sqrt(
            variance
        )

    if spread.mean == 0 or spread.alike or not found(_ENDLESS):  # where all are alike, only groups tell more
        return None
    if not found(MOST_SEEDS):
        of_clips = spread.half_width(alpha, _ENDLESS)
        return None if 2 * of_clips**2 > spread.half_width(alpha, MOST_SEEDS) ** 2 else MOST_SEEDS + 1
    fewest = next(n for n in range(2, MOST_SEEDS + 1) if found(n))
    return next(n for n in (*range(2, 11), *range(15, 30, 5), *range(30, MOST_SEEDS + 1, 10)) if n >= fewest)
