"""Intervals and tests for scores measured with several seeds on clips that come in groups.

What an interval is made of stands in `mmvideo.evaluation.spread`, how those of a family of comparisons hold
together in `mmvideo.evaluation.simultaneous`. How often they are wrong is simulated by
experiments/design_errors.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from scipy import optimize

from mmvideo.errors import InputError
from mmvideo.evaluation.design import (
    MORE_CLIPS,
    MORE_SEEDS,
    MOST_SEEDS,
    NextDollar,
    next_dollar,
    seeds_needed,
    smallest_detectable,
)
from mmvideo.evaluation.spread import LEVEL, Spread, spread_of

ALPHA = 1 - LEVEL
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
class Levels:
    """What each comparison of a family is held to, so that the family is wrong in 5 %."""

    alpha: float = ALPHA
    """Of each interval."""
    equivalence: float = 2 * ALPHA
    """Of the interval that has to lie within a margin: two one-sided tests at 5 % are one interval of 90 %
    (Schuirmann 1987, https://doi.org/10.1007/BF01068419)."""
    adjusted: Callable[[float], float] = float
    """From p to adjusted p."""


ALONE = Levels()
"""Of a comparison by itself."""


@dataclass(frozen=True)
class PairedComparison:
    """Arm A against arm B on the same seeds and clips. Positive: A's scores are higher."""

    low: float
    high: float
    """Limits of the interval, at the level that makes 95 % of its family."""
    n_clips: int
    n_groups: int
    equivalent: bool | None
    """Whether the difference lies within the margin, by two one-sided tests at 5 %; None without a margin."""
    spread: Spread
    width: float
    """The largest difference there can be."""
    levels: Levels

    @property
    def difference(self) -> float:
        """Of the means."""
        return self.spread.mean

    @property
    def n_seeds(self) -> int:
        """Of each arm."""
        return self.spread.n_seeds

    @property
    def clips_only(self) -> bool:
        """One seed: interval and p allow for other clips, not for another seed."""
        return self.n_seeds == 1

    @cached_property
    def p(self) -> float:
        """Two-sided, of this comparison by itself."""
        return _p_value(self.spread, self.width)

    @property
    def adjusted_p(self) -> float:
        """Below 0.05 if and only if the interval leaves out 0."""
        return self.levels.adjusted(self.p)

    @cached_property
    def seeds_needed(self) -> int | None:
        """About how many seeds until a true difference of this size would be found with 80 % power, rounded
        up, since few seeds tell no more; `MOST_SEEDS` + 1 stands for more. None: more clips are needed."""
        return seeds_needed(self.spread, self.levels.alpha)

    @property
    def detectable(self) -> float:
        """The smallest true difference that this design finds with 80 % power; NaN where it finds none."""
        return smallest_detectable(self.spread, self.levels.alpha, most=self.width)

    @property
    def next_dollar(self) -> NextDollar:
        """What more seeds or more clips would make of the interval."""
        return next_dollar(self.spread, self.levels.alpha, most=self.width)


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
    limits: tuple[float, float] = UNIT,
    margin: float | None = None,
    levels: Levels = ALONE,
) -> PairedComparison:
    """Difference in mean score of arm A and arm B, paired by seed and by clip.

    Args:
        a, b: the score of seed s on clip i; the same seeds and clips in both, in the same order.
        groups: which group each clip belongs to; a group may be one clip.
        limits: the lowest and the highest score there can be.
        margin: differences up to this size, in the score's unit, count as none.
        levels: of the family it belongs to (`mmvideo.evaluation.simultaneous`); by itself: 95 %.

    Raises:
        InputError: fewer than 2 groups, no seed, or shapes that do not fit.
    """
    if a.shape != b.shape:
        raise InputError(f"paired arms need the same seeds and clips; got arrays of {a.shape} and {b.shape}")
    a, b = a.astype(float), b.astype(float)
    spread = spread_of(a - b, groups, float(np.abs(np.stack([a, b])).max(initial=0)))
    width = limits[1] - limits[0]
    ends = (-width, width)
    low, high = _interval(spread, ends, 1 - levels.alpha)
    inner = _interval(spread, ends, 1 - levels.equivalence)
    return PairedComparison(
        low=low,
        high=high,
        n_clips=len(groups),
        n_groups=len(np.unique(groups)),
        equivalent=None if margin is None else -margin < inner[0] and inner[1] < margin,
        spread=spread,
        width=width,
        levels=levels,
    )


def verdict(comparison: PairedComparison, *, higher_is_better: bool = True, margin: str = "margin") -> str:
    """The word for a comparison: `better` or `worse` where the interval leaves out 0, `equivalent within` the
    margin, `no verdict (one seed)`, or `undecided` with what it needs: `about N seeds`, `more than 50 seeds`,
    `more clips` where no number of seeds is enough, with `more seeds and` before it where seeds would narrow
    the interval more; or, of two seeds, which do not tell how many, `more seeds`.

    Where scores are errors (`higher_is_better` false), arm A is better if the difference is negative.
    One seed says nothing about the spread over seeds, so it never earns another word.

    Args:
        margin: of equivalence, as it is to be written.
    """
    if comparison.clips_only:
        return ONE_SEED
    if not comparison.low <= 0 <= comparison.high:
        return "better" if (comparison.difference > 0) == higher_is_better else "worse"
    if comparison.equivalent:
        return f"equivalent within {margin}"
    needed = comparison.seeds_needed
    if needed is None:
        first = comparison.next_dollar.advice == MORE_SEEDS
        what = "more seeds and clips" if first else MORE_CLIPS
    elif needed > MOST_SEEDS:
        what = f"more than {MOST_SEEDS} seeds"
    else:
        what = MORE_SEEDS if comparison.n_seeds == 2 else f"about {needed} seeds"
    return f"undecided (needs {what})"


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
