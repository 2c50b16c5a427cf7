"""Where the variance of scores comes from: seeds, groups of clips, clips, and how these go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from mmvideo.evaluation.spread import group_sums


@dataclass(frozen=True)
class Components:
    """Variances of one score of one seed on one clip; None where the design does not tell."""

    seed: float | None
    """Between seeds, on all clips alike."""
    group: float
    """Between groups of clips, for all seeds alike; of groups of one clip, between clips."""
    clip: float | None
    """Between clips of a group, for all seeds alike."""
    seed_group: float | None
    """What groups differ by from seed to seed."""
    seed_clip: float | None
    """What clips of a group differ by from seed to seed; with groups of one clip it is in `seed_group`."""


def components(values: Shaped[ndarray, "S n"], groups: Shaped[ndarray, " n"]) -> Components:
    """Variance components of scores, or of paired differences, by the method of moments.

    Seeds are crossed with clips, and clips are nested in groups: x = mean + seed + group + clip(group) +
    seed × group + seed × clip(group). The five mean squares are set equal to what is expected of them with n
    clips in G groups of n_g, q = sum n_g² / n, n0 = (n - q) / (G - 1) (Searle, Casella & McCulloch 1992,
    ch. 4-5): of seeds e + q sg + n s, of groups e + S c + n0 sg + S n0 g, of clips e + S c, of seed × group
    e + n0 sg, of the rest e.

    What comes out below 0 is 0.
    """
    values = np.asarray(values, dtype=float)
    sums, sizes = group_sums(values, groups)
    (n_seeds, n), n_groups = values.shape, len(sizes)
    q, own = (sizes**2).sum() / n, np.unique(groups, return_inverse=True)[1]
    n0 = (n - q) / (n_groups - 1)
    mean, by_seed, by_clip = values.mean(), values.mean(axis=1), values.mean(axis=0)
    cells = sums / sizes
    by_group = cells.mean(axis=0)
    crossed, nested = n_seeds > 1, n > n_groups

    def least_0(value: float) -> float:
        return max(float(value), 0.0)

    in_groups = ((by_clip - by_group[own]) ** 2).sum()
    group = n_seeds * (sizes * (by_group - mean) ** 2).sum() / (n_groups - 1)
    clip = n_seeds * in_groups / (n - n_groups) if nested else 0.0
    if not crossed:
        return Components(None, least_0((group - clip) / n0), clip if nested else None, None, None)
    seed = n * ((by_seed - mean) ** 2).sum() / (n_seeds - 1)
    between = (sizes * (cells - by_seed[:, None] - by_group + mean) ** 2).sum()
    seed_group = between / ((n_seeds - 1) * (n_groups - 1))
    within = ((values - cells[:, own]) ** 2).sum() - n_seeds * in_groups
    rest = within / ((n_seeds - 1) * (n - n_groups)) if nested else 0.0
    both = (seed_group - rest) / n0
    return Components(
        seed=least_0((seed - rest - q * both) / n),
        group=least_0((group - clip - seed_group + rest) / (n_seeds * n0)),
        clip=least_0((clip - rest) / n_seeds) if nested else None,
        seed_group=least_0(both),
        seed_clip=least_0(rest) if nested else None,
    )
