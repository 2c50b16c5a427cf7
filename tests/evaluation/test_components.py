"""Variance components of tables whose effects are known."""

from __future__ import annotations

import numpy as np
import pytest

from mmvideo.evaluation.components import components

SEEDS, GROUPS = np.array([-1.0, 0.5, 2.0]), np.array([0.0, 3.0, -1.0, 5.0])


def test_effects_that_add_up_are_told_apart_exactly() -> None:
    values = SEEDS[:, None] + np.repeat(GROUPS, 3)
    found = components(values, np.repeat(np.arange(4), 3))
    assert found.seed == pytest.approx(SEEDS.var(ddof=1))
    assert found.group == pytest.approx(GROUPS.var(ddof=1))
    assert (found.clip, found.seed_group, found.seed_clip) == pytest.approx((0, 0, 0), abs=1e-12)


def test_clips_differ_within_groups() -> None:
    clips = np.array([[-1.0, 0.0, 1.0]] * 4).ravel()  # mean 0 in each group, variance 1
    found = components(np.tile(clips, (3, 1)), np.repeat(np.arange(4), 3))
    assert found.clip == pytest.approx(1.0)
    assert found.group == found.seed == 0


def test_groups_of_one_clip_have_no_clips_within() -> None:
    found = components(SEEDS[:, None] + GROUPS, np.arange(4))
    assert (found.clip, found.seed_clip) == (None, None)
    assert found.group == pytest.approx(GROUPS.var(ddof=1))


def test_one_seed_tells_of_clips_only() -> None:
    found = components(np.repeat(GROUPS, 3)[None], np.repeat(np.arange(4), 3))
    assert (found.seed, found.seed_group, found.seed_clip) == (None, None, None)
    assert found.group == pytest.approx(GROUPS.var(ddof=1))


def test_all_five_are_found_in_a_large_table_of_unequal_groups() -> None:
    rng = np.random.default_rng(0)
    own = np.repeat(np.arange(120), rng.integers(1, 7, 120))
    n_seeds, n = 60, len(own)
    values = (
        rng.normal(0, 1.0, (n_seeds, 1))
        + rng.normal(0, 2.0, 120)[own]
        + rng.normal(0, 1.5, n)
        + rng.normal(0, 1.2, (n_seeds, 120))[:, own]
        + rng.normal(0, 0.8, (n_seeds, n))
    )
    found = components(values, own)
    assert found.seed == pytest.approx(1.0, rel=0.5)
    assert found.group == pytest.approx(4.0, rel=0.3)
    assert found.clip == pytest.approx(2.25, rel=0.2)
    assert found.seed_group == pytest.approx(1.44, rel=0.1)
    assert found.seed_clip == pytest.approx(0.64, rel=0.1)
