"""The bootstrap with a weight a seed times one a group."""

from __future__ import annotations

import numpy as np
import pytest

from mmvideo.evaluation.pigeonhole import pigeonhole_interval
from mmvideo.evaluation.statistics import interval_for_arm


def test_with_many_clips_and_no_seed_noise_it_is_the_two_way_interval() -> None:
    rng = np.random.default_rng(0)
    values = np.tile(rng.random(300) < 0.7, (5, 1)).astype(float)
    low, high = pigeonhole_interval(values, np.arange(300), draws=4000)
    found = interval_for_arm(values, np.arange(300))
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.01)


def test_seeds_weigh_as_seeds() -> None:
    values = np.repeat([[0.0], [1.0]], 40, axis=1).repeat(10, axis=0)  # 20 seeds, all clips alike
    low, high = pigeonhole_interval(values, np.arange(40), draws=4000)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.5 / 21**0.5, 0.5 + 1.96 * 0.5 / 21**0.5), abs=0.02)


def test_no_spread_has_no_width_and_the_same_values_the_same_interval() -> None:
    same = pigeonhole_interval(np.full((3, 12), 0.25), np.repeat(np.arange(4), 3))
    assert same == pytest.approx((0.25, 0.25))
    values = np.random.default_rng(1).random((3, 12))
    groups = np.repeat(np.arange(4), 3)
    assert pigeonhole_interval(values, groups) == pigeonhole_interval(values, groups)
