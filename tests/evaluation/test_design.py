"""Power and plans against what is known of t tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mmvideo.evaluation.design import next_dollar, power, seeds_needed, smallest_detectable
from mmvideo.evaluation.spread import Spread, spread_of


def spread(
    mean: float = 0.1, seeds: float = 0.0, groups: float = 0.0, interaction: float = 0.0, n_seeds: int = 3
) -> Spread:
    return Spread(mean, seeds, groups, interaction, n_seeds, 1e6, 1e-12)


@pytest.mark.parametrize("n_seeds", [3, 5, 20])
def test_where_only_seeds_vary_it_is_the_power_of_the_t_test(n_seeds: int) -> None:
    effect, df = 3.0, n_seeds - 1
    t = stats.t.ppf(0.975, df)
    expected = stats.nct.sf(t, df, effect) + stats.nct.cdf(-t, df, effect)
    assert power(spread(seeds=1.0, n_seeds=n_seeds), effect, 0.05) == pytest.approx(expected, abs=0.01)


def test_where_only_clips_vary_it_is_the_power_of_the_z_test() -> None:
    expected = stats.norm.cdf(2.8 - 1.96) + stats.norm.cdf(-2.8 - 1.96)
    assert power(spread(groups=1.0), 2.8, 0.05) == pytest.approx(expected, abs=1e-3)
    assert smallest_detectable(spread(groups=1.0), 0.05) == pytest.approx(1.96 + 0.8416, abs=1e-3)
    assert power(spread(groups=1.0), 0.0, 0.05) == pytest.approx(0.05, abs=1e-3)


def test_the_seeds_asked_for_have_the_power_and_fewer_have_not() -> None:
    found = spread(mean=0.05, seeds=0.04**2 / 3, groups=0.01**2, interaction=0.0)
    needed = seeds_needed(found, 0.05)
    assert needed is not None
    assert power(found.planned(needed), 0.05, 0.05) >= 0.8
    assert power(found.planned(needed - 2), 0.05, 0.05) < 0.8
    assert smallest_detectable(found.planned(needed), 0.05) <= 0.05


def test_the_next_dollar_goes_where_the_variance_is() -> None:
    seeds = next_dollar(spread(seeds=1.0, groups=0.01), 0.05)
    assert seeds.advice == "more seeds"
    assert seeds.more_seeds < seeds.now == pytest.approx(seeds.more_clips, rel=0.01)
    clips = next_dollar(spread(seeds=0.01, groups=1.0, interaction=0.01), 0.05)
    assert clips.advice == "more clips"
    assert clips.more_clips == pytest.approx(clips.now / math.sqrt(2), rel=0.05)


def test_one_seed_decides_nothing() -> None:
    alone = spread(groups=1.0, n_seeds=1)
    assert math.isnan(smallest_detectable(alone, 0.05))
    assert next_dollar(alone, 0.05).advice == "more seeds"
    assert np.isnan(next_dollar(alone, 0.05).more_seeds)


def test_without_any_spread_only_clips_tell_more() -> None:
    alike = spread()
    assert math.isnan(smallest_detectable(alike, 0.05))
    assert next_dollar(alike, 0.05).advice == "more clips"


def test_more_of_either_is_never_said_to_widen_an_interval() -> None:
    """Parts of a variance are estimated each by itself, and may add up to more than the whole."""
    draw = np.random.default_rng(0)
    seen = 0
    for _ in range(200):
        groups = np.repeat(np.arange(8), 5)
        scores = (draw.random((2, 40)) < draw.uniform(0.3, 0.9)) - (draw.random((2, 40)) < 0.5).astype(float)
        found = spread_of(scores, groups.astype(str), 1.0)
        if found.alike:
            continue
        later = next_dollar(found, 0.05, most=1.0)
        planned = found.planned(4).half_width(0.05), found.planned(2, 2.0).half_width(0.05)
        seen += max(planned) > found.half_width(0.05)
        assert max(later.more_seeds, later.more_clips) <= later.now
    assert seen, "or nothing was tested"
