"""A second opinion on an interval over seeds and groups: the pigeonhole bootstrap."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.spread import LEVEL, group_sums

DRAWS = 1000


def pigeonhole_interval(
    values: Float[ndarray, "S n"], groups: Shaped[ndarray, " n"], *, level: float = LEVEL, draws: int = DRAWS
) -> tuple[float, float]:
    """Percentile interval of the mean, with a weight for each seed times one for each group.

    Weights are independent and exponential, with mean and variance 1, and a cell of the table has the product
    of its seed's and its group's (Owen 2007, https://doi.org/10.1214/07-AOAS122; Owen & Eckles 2012,
    https://doi.org/10.1214/12-AOAS547). No normal law and no estimate of a variance: what it shares with the
    interval of `mmvideo.evaluation.spread` is the data. It has no t quantile either, so with few seeds and
    large seed noise it is too narrow. The same values give the same interval.
    """
    sums, sizes = group_sums(values, groups)
    of_seeds, of_groups = _weights(draws, len(values), 0), _weights(draws, len(sizes), 1)
    totals = (of_seeds * (of_groups @ sums.T)).sum(axis=1)
    means = totals / (of_seeds.sum(axis=1) * (of_groups @ sizes))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _weights(draws: int, units: int, stream: int) -> Float[ndarray, "draws units"]:
    """The same every time, so that a report is a function of its runs."""
    return np.random.default_rng([2007, stream]).standard_exponential((draws, units), np.float32)
