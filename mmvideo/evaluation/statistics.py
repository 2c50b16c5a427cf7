"""Intervals and tests for scores measured with several seeds on clips that come in groups.

Seeds and groups are crossed random factors: another seed would train another model, another draw of groups
(source videos, speakers …) would ask other questions. An interval must allow for both, though 3 to 5 seeds
are few.

With d(s, i) the value of seed s on clip i, the variance of the mean over both is estimated from a two-way
table of group sums (Cameron, Gelbach & Miller 2011; Searle, Casella & McCulloch 1992, ch. 4) in two parts:

- seeds: V_s = variance of the seeds' means / S, all that a new seed changes, on S-1 degrees of freedom;
- groups: V_g - V_sg, the variance from groups of clips less the seed noise in it, on G'-1 degrees of freedom,
  where G' = 1 / (sum of the groups' squared shares of clips) is the effective number of groups.

The parts' limits are combined as MOVER does (Zou & Donner 2008; Graybill & Wang 1980):
half-width² = t²(S-1) V_s + t²(G'-1) max(V_g - V_sg, 0). Each part keeps its own t quantile, so that three
seeds cost what three seeds should, without a quantile of 4.3 on the part that hundreds of clips tell about.
It is never less than t²(G'-1) max(V_g, V_sg), what other clips alone would change: the means of two seeds may
agree by chance.

In simulations (experiments/interval_coverage.py) this covers 94-99 % from no to large seed noise. The two-way
variance with a z quantile falls to 82 %, with Satterthwaite's t to 93 %; t with S-1 degrees of freedom sits
at 100 %; the crossed bootstrap runs from 100 % down to 83 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import optimize, special

from mmvideo.errors import InputError

LEVEL = 0.95
POWER = 0.80
MOST_SEEDS = 50
"""Up to so many seeds a number is named."""
_ENDLESS = 1_000_000
_SMALLEST_P = 1e-12
_NO_SPREAD = 1e-9
"""Means and half-widths up to here, in units of the largest score, are rounding: all groups are alike, and
there is no spread to estimate from. G groups without one exception leave open that a share q of all groups is
another, q = 1 - 0.025^(1/G) by Clopper & Pearson (1934) for 0 of G, and that those have the lowest or the
highest score there can be. So the limits lie q of the way from the mean to the ends of the scores' range.
Where that has no end, the sign test's 2 / 2^G decides between an interval of width 0 and an endless one."""
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


@dataclass(frozen=True)
class _Spread:
    """The parts of the variance of a mean over seeds and clips, with their degrees of freedom."""

    mean: float
    seeds: float
    groups: float
    interaction: float
    """What groups differ by from seed to seed; in `seeds` too."""
    n_seeds: int
    group_df: float
    rounding: float
    """What is no more than rounding of such values."""

    @property
    def n_groups(self) -> float:
        """The effective number of groups."""
        return self.group_df + 1

    @property
    def alike(self) -> bool:
        """Whether there is no spread to estimate from."""
        return self.half_width(1 - LEVEL) <= self.rounding

    def half_width(self, alpha: float, n_seeds: int | None = None) -> float:
        """Half the 1-alpha interval, as measured or as expected with another number of seeds.

        Never less than other clips alone would give: few seeds may have nearly the same mean by chance.
        """
        n = n_seeds or self.n_seeds
        seeds, of_groups = self.seeds * self.n_seeds / n, special.stdtrit(self.group_df, alpha / 2) ** 2
        seed_part = special.stdtrit(n - 1, alpha / 2) ** 2 * seeds if n > 1 else 0.0
        both = seed_part + of_groups * self.groups
        return float(np.sqrt(max(both, of_groups * self.clips_alone(n))))

    def clips_alone(self, n_seeds: int) -> float:
        """The variance of the mean over other clips, with the same seeds."""
        return self.groups + self.interaction * self.n_seeds / n_seeds


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
    spread = _spread(values, groups, float(np.abs(values).max(initial=0)))
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
    spread = _spread(a - b, groups, float(np.abs(np.stack([a, b])).max(initial=0)))
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


def _spread(values: Float[ndarray, "S n"], groups: ndarray, largest: float) -> _Spread:
    """
    Args:
        largest: the size of the largest of the scores that the values were computed from.
    """
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != len(groups):
        raise InputError(
            f"need values (seeds, clips) and a group per clip; got {values.shape} and {len(groups)} groups"
        )
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"an interval needs clips from at least 2 groups; got {len(names)}: {', '.join(map(str, names))}"
        )
    n_seeds, n_clips = values.shape
    n_groups = len(names)
    share = np.bincount(group_of) / n_clips
    mean = values.mean()
    sums = np.stack([np.bincount(group_of, weights=row, minlength=n_groups) for row in values])
    deviation = (
        sums / n_clips - mean * share
    )  # (S, G): each cell's part in its seed's deviation from the mean
    by_group = deviation.mean(axis=0)
    between_groups = (by_group**2).sum() * n_groups / (n_groups - 1)
    group_df = max(1.0, 1 / (share**2).sum() - 1)
    rounding = _NO_SPREAD * largest
    centre = 0.0 if abs(mean) <= rounding else float(mean)
    if n_seeds == 1:
        return _Spread(centre, 0.0, float(between_groups), 0.0, 1, group_df, rounding)
    by_seed = deviation.sum(axis=1)
    residual = deviation - by_seed[:, None] * share - by_group
    interaction = (residual**2).sum() * n_groups / ((n_groups - 1) * (n_seeds - 1) * n_seeds)
    between_seeds = (by_seed**2).sum() / (n_seeds * (n_seeds - 1))
    groups_alone = float(max(between_groups - interaction, 0))
    return _Spread(
        centre, float(between_seeds), groups_alone, float(interaction), n_seeds, group_df, rounding
    )


def _interval(spread: _Spread, limits: tuple[float, float], level: float) -> tuple[float, float]:
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


def _p_value(spread: _Spread, width: float) -> float:
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


def _seeds_needed(spread: _Spread, alpha: float) -> int | None:
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
