"""Intervals of a family hold together, and agree with its p values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmvideo.evaluation.simultaneous import MaxT, compare_family, max_t
from mmvideo.evaluation.statistics import compare_arms, verdict


def test_independent_comparisons_are_sidak_and_equal_ones_are_one() -> None:
    independent, same = MaxT(np.eye(4)), MaxT(np.ones((4, 1)))
    assert independent.level(0.05) == pytest.approx(1 - 0.95**0.25, rel=0.05)
    assert same.level(0.05) == MaxT(np.array([[1.0], [-1.0]])).level(0.05) == 0.05
    assert independent.adjusted(0.01) == pytest.approx(1 - 0.99**4, rel=0.05)
    assert MaxT(np.ones((1, 1))).level(0.05) == 0.05


def test_comparisons_with_one_control_are_dunnetts() -> None:
    """Many seeds and clips of equal spread: correlation 0.5, as of Dunnett (1955) with endless df."""
    scores = np.random.default_rng(0).normal(size=(4, 50, 400))
    against_first = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]])
    found = max_t(scores, against_first, np.arange(400)).level(0.05)
    dunnett = 2 * stats.norm.sf(2.349)  # two-sided, 3 comparisons (Dunnett 1964, table II, endless df)
    assert found == pytest.approx(dunnett, rel=0.06)


def test_adjusted_p_is_below_the_level_if_and_only_if_p_is() -> None:
    family = MaxT(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]))
    for alpha in (0.05, 0.1):
        level = family.level(alpha)
        for p in (0.5 * level, level - 1e-6, level + 1e-6, 2 * level):
            assert (family.adjusted(p) < alpha) == (p < level)
    assert family.adjusted(1e-9) == pytest.approx(3e-9)
    assert family.adjusted(1.0) == 1.0


def test_verdict_interval_and_adjusted_p_agree_whatever_the_scores() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = rng.random((4, 3, 60)) < rng.uniform(0.4, 0.9, (4, 3, 1))
        for test in compare_family(scores, [(0, 1), (0, 2), (1, 3), (2, 3)], np.repeat(np.arange(20), 3)):
            decided = not test.low <= 0 <= test.high
            assert decided == (test.adjusted_p < 0.05)
            assert decided == (verdict(test) in ("better", "worse"))


def test_a_family_of_one_is_the_comparison_itself() -> None:
    scores = np.random.default_rng(1).random((2, 3, 50))
    one, alone = compare_family(scores, [(0, 1)], np.arange(50))[0], compare_arms(*scores, np.arange(50))
    assert (one.low, one.high, one.adjusted_p) == (alone.low, alone.high, alone.p)


def test_identical_arms_have_an_interval_of_width_0() -> None:
    scores = np.random.default_rng(2).random((2, 3, 50))
    twins = np.stack([scores[0], scores[0], scores[1]])
    same, other = compare_family(twins, [(0, 1), (0, 2)], np.arange(50), limits=(0, np.inf))
    assert (same.low, same.high) == (0, 0)
    assert other.low < other.difference < other.high


def test_the_same_scores_give_the_same_numbers() -> None:
    scores = np.random.default_rng(3).random((3, 3, 50))
    pairs, groups = [(0, 1), (0, 2)], np.arange(50)
    forth = [test.adjusted_p for test in compare_family(scores, pairs, groups)]
    assert [test.adjusted_p for test in compare_family(scores, pairs, groups)] == forth
