"""What a design can tell: its power, the smallest effect it detects, and what would tell more.

All follow from the parts of the variance in `mmvideo.evaluation.spread`: the mean is normal about its effect,
the seeds' variance is its expectation times chi² / df (Searle, Casella & McCulloch 1992, ch. 4), and power is
how often the half-width that so arises is exceeded, integrated over that chi². With 3 seeds the half-width
varies so much that a formula with its mean alone would be off by ten points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import optimize, special

from mmvideo.evaluation.spread import Spread

POWER = 0.80
MOST_SEEDS = 50
"""Up to so many seeds a number is named."""
ENDLESS = 1_000_000
MORE_SEEDS, MORE_CLIPS = "more seeds", "more clips"
_MIDDLES = (np.arange(128) + 0.5) / 128
_ROUND = (*range(2, 11), *range(15, 30, 5), *range(30, MOST_SEEDS + 1, 10))


@dataclass(frozen=True)
class NextDollar:
    """What half the interval is to be expected to be with twice the seeds, and on twice the clips; NaN where
    the data do not tell. At most what it is, though parts of a variance that few seeds or groups have
    estimated may add up to more."""

    now: float
    more_seeds: float
    more_clips: float
    advice: str
    """What narrows the interval more; of one seed `more seeds`, since nothing is decided by it."""


def power(design: Spread, effect: float, alpha: float) -> float:
    """How often a comparison with such a spread leaves out 0, on either side, if the truth is `effect`.

    Args:
        design: as planned (`Spread.planned`).
        alpha: of each interval, adjusted for its family.
    """
    half = design.half_widths(alpha, _luck(design.n_seeds - 1))
    sd = np.sqrt(max(design.seeds + design.groups, design.clips_alone))
    if sd == 0:
        return float(abs(effect) > half.max())
    found = special.ndtr((effect - half) / sd) + special.ndtr((-effect - half) / sd)
    return float(found.mean())


def smallest_detectable(
    spread: Spread, alpha: float, power_wanted: float = POWER, *, most: float = math.inf
) -> float:
    """The smallest true difference that a study of the same design finds with this power; NaN of one seed,
    which decides nothing, where there is no spread to estimate from, and where it finds none.

    Args:
        most: the largest difference there can be.
    """
    if spread.n_seeds == 1 or spread.alike:
        return math.nan
    design = spread.planned(spread.n_seeds)
    if power(design, most, alpha) < power_wanted:
        return math.nan
    high = min(4 * design.half_width(alpha) + 1e-12, most)
    while power(design, high, alpha) < power_wanted:
        high *= 2
    return float(optimize.brentq(lambda effect: power(design, effect, alpha) - power_wanted, 0.0, high))


def next_dollar(spread: Spread, alpha: float, *, most: float = math.inf) -> NextDollar:
    """Half the interval as measured, and as expected with twice the seeds and on twice the clips.

    Args:
        most: the largest difference there can be, at which half an interval ends.
    """
    if spread.alike:
        return NextDollar(math.nan, math.nan, math.nan, MORE_CLIPS)
    now = min(spread.half_width(alpha), most)
    clips = spread.planned(spread.n_seeds, 2.0).half_width(alpha)
    if spread.n_seeds == 1:
        return NextDollar(now, math.nan, min(clips, now), MORE_SEEDS)
    seeds = spread.planned(2 * spread.n_seeds).half_width(alpha)
    advice = MORE_SEEDS if seeds < clips else MORE_CLIPS
    return NextDollar(now, min(seeds, now), min(clips, now), advice)


def seeds_needed(spread: Spread, alpha: float) -> int | None:
    """About how many seeds until a true difference as large as the one seen is found with 80 % power.

    Rounded up, since few seeds tell no more; `MOST_SEEDS` + 1 stands for more. None where no number of them
    is enough, or where it is the clips that most is uncertain for.
    """

    def found(n_seeds: int) -> bool:
        return power(spread.planned(n_seeds), abs(spread.mean), alpha) >= POWER

    if spread.mean == 0 or spread.alike or not found(ENDLESS):  # where all are alike, only groups tell more
        return None
    if not found(MOST_SEEDS):
        of_clips, most = (spread.planned(n).half_width(alpha) for n in (ENDLESS, MOST_SEEDS))
        return None if 2 * of_clips**2 > most**2 else MOST_SEEDS + 1
    fewest = next(n for n in range(2, MOST_SEEDS + 1) if found(n))
    return next(n for n in _ROUND if n >= fewest)


@lru_cache(maxsize=64)
def _luck(df: int) -> Float[ndarray, " L"]:
    """Quantiles of chi² / df."""
    return special.gammaincinv(df / 2, _MIDDLES) * 2 / df if df else np.ones(1)
