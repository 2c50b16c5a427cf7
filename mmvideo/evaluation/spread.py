"""The variance of a mean over seeds and clips, in its two parts, and the interval that follows.

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
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy import special

from mmvideo.errors import InputError

LEVEL = 0.95
NO_SPREAD = 1e-9
"""Means and half-widths up to here, in units of the largest score, are rounding: all groups are alike, and
there is no spread to estimate from. G groups without one exception leave open that a share q of all groups is
another, q = 1 - 0.025^(1/G) by Clopper & Pearson (1934) for 0 of G, and that those have the lowest or the
highest score there can be. So the limits lie q of the way from the mean to the ends of the scores' range.
Where that has no end, the sign test's 2 / 2^G decides between an interval of width 0 and an endless one."""


@dataclass(frozen=True)
class Spread:
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

    def half_width(self, alpha: float) -> float:
        """Half the 1-alpha interval.

        Never less than other clips alone would give: few seeds may have nearly the same mean by chance.
        """
        return float(self.half_widths(alpha, np.ones(1))[0])

    def half_widths(self, alpha: float, luck: Float[ndarray, " L"]) -> Float[ndarray, " L"]:
        """The same where the variance that the seeds show is so many times this one."""
        of_groups = special.stdtrit(self.group_df, alpha / 2) ** 2
        of_seeds = special.stdtrit(self.n_seeds - 1, alpha / 2) ** 2 if self.n_seeds > 1 else 0.0
        both = of_seeds * self.seeds * luck + of_groups * self.groups
        return np.sqrt(np.maximum(both, of_groups * self.clips_alone))

    @property
    def clips_alone(self) -> float:
        """The variance of the mean over other clips, with the same seeds."""
        return self.groups + self.interaction

    def planned(self, n_seeds: int, clips: float = 1.0) -> Spread:
        """What is to be expected of another number of seeds, on so many times the groups of clips.

        A new seed changes what seeds alone do, and what groups differ by from seed to seed; a new group the
        latter only.
        """
        fewer = self.n_seeds / n_seeds
        alone = max(self.seeds - self.interaction, 0.0)
        return replace(
            self,
            seeds=(alone + self.interaction / clips) * fewer,
            groups=self.groups / clips,
            interaction=self.interaction * fewer / clips,
            n_seeds=n_seeds,
            group_df=max(1.0, self.n_groups * clips - 1),
        )


def spread_of(values: Float[ndarray, "S n"], groups: ndarray, largest: float) -> Spread:
    """
    Args:
        largest: the size of the largest of the scores that the values were computed from.
    """
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != len(groups):
        raise InputError(
            f"need values (seeds, clips) and a group per clip; got {values.shape} and {len(groups)} groups"
        )
    sums, sizes = group_sums(values, groups)
    (n_seeds, n_clips), n_groups = values.shape, len(sizes)
    share = sizes / n_clips
    mean = values.mean()
    deviation = (
        sums / n_clips - mean * share
    )  # (S, G): each cell's part in its seed's deviation from the mean
    by_group = deviation.mean(axis=0)
    between_groups = (by_group**2).sum() * n_groups / (n_groups - 1)
    group_df = max(1.0, 1 / (share**2).sum() - 1)
    rounding = NO_SPREAD * largest
    centre = 0.0 if abs(mean) <= rounding else float(mean)
    if n_seeds == 1:
        return Spread(centre, 0.0, float(between_groups), 0.0, 1, group_df, rounding)
    by_seed = deviation.sum(axis=1)
    residual = deviation - by_seed[:, None] * share - by_group
    interaction = (residual**2).sum() * n_groups / ((n_groups - 1) * (n_seeds - 1) * n_seeds)
    between_seeds = (by_seed**2).sum() / (n_seeds * (n_seeds - 1))
    groups_alone = float(max(between_groups - interaction, 0))
    return Spread(centre, float(between_seeds), groups_alone, float(interaction), n_seeds, group_df, rounding)


def group_sums(values: Shaped[ndarray, "R n"], groups: ndarray) -> tuple[ndarray, ndarray]:
    """Each row's sums over the G groups of clips, (R, G), and the groups' sizes, (G,).

    Raises:
        InputError: fewer than 2 groups.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"an interval needs clips from at least 2 groups; got {len(names)}: {', '.join(map(str, names))}"
        )
    sums = np.stack([np.bincount(group_of, weights=row, minlength=len(names)) for row in values])
    return sums, np.bincount(group_of)
