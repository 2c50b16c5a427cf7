"""Main effects and interactions: known answers, what cannot be told apart, and how often an interval errs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mmvideo.evaluation.factors import contrasts, effect_of

FUSIONS, SHARES = ("early", "late", "joint"), ("0.1", "1")
ARMS = [{"fusion": fusion, "share": share} for fusion, share in product(FUSIONS, SHARES)]
TABLE = {"early": (0.4, 0.6), "late": (0.5, 0.7), "joint": (0.3, 0.9)}
"""Grand mean 17/30; joint gains 0.6 by more clips, the others 0.2."""


def sizes(arms: list[dict[str, str]], means: np.ndarray) -> dict[tuple[str, ...], float]:
    return {contrast.levels: float(contrast.weights @ means) for contrast in contrasts(arms)}


def test_effects_of_a_full_table_are_those_computed_by_hand() -> None:
    means = np.array([TABLE[arm["fusion"]][SHARES.index(arm["share"])] for arm in ARMS])
    found = sizes(ARMS, means)
    assert found["joint",] == pytest.approx(0.6 - 17 / 30)
    assert found["early",] == pytest.approx(0.5 - 17 / 30)
    assert found["1",] == pytest.approx(1 / 6)
    assert found["0.1",] == pytest.approx(-1 / 6)
    assert found["joint", "1"] == pytest.approx(0.9 - 0.6 - 1 / 6)
    assert found["late", "0.1"] == pytest.approx(0.5 - 0.6 + 1 / 6)
    assert len(found) == 3 + 2 + 6


def test_means_that_add_up_have_no_interaction_and_three_factors_have_three_pairs() -> None:
    arms = [{**arm, "objective": name} for arm in ARMS for name in ("plain", "ogm")]
    means = np.array(
        [FUSIONS.index(a["fusion"]) + 0.1 * float(a["share"]) + (a["objective"] == "ogm") for a in arms]
    )
    found = contrasts(arms)
    pairs = [one for one in found if len(one.factors) == 2]
    assert {one.factors for one in pairs} == {
        ("fusion", "share"),
        ("fusion", "objective"),
        ("share", "objective"),
    }
    assert np.allclose([one.weights @ means for one in pairs], 0)
    assert [one.n_arms for one in found if one.factors == ("fusion",)] == [4, 4, 4]


def test_where_a_combination_is_missing_main_effects_are_of_the_additive_fit() -> None:
    arms = ARMS[:-1]
    means = np.array([FUSIONS.index(arm["fusion"]) + 0.5 * (arm["share"] == "1") for arm in arms])
    found = sizes(arms, means)
    assert found["early",] == pytest.approx(-1)
    assert found["1",] == pytest.approx(0.25)
    assert all(len(levels) == 1 for levels in found), "no interaction of a table with a hole"


def test_factors_that_change_together_cannot_be_told_apart() -> None:
    assert contrasts([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]) == []
    assert contrasts([{"a": "1", "b": "x"}, {"a": "2", "b": "x"}])[0].factors == ("a",), "b has one level"


def test_an_interval_covers_the_interaction_that_is_planted() -> None:
    """200 studies of 4 seeds and 40 groups, with noise of both; the interaction is 0.05."""
    arms = [{"a": a, "b": b} for a in "12" for b in "xy"]
    [contrast] = [one for one in contrasts(arms) if one.levels == ("2", "y")]
    means, groups = np.array([0.0, 0.1, 0.2, 0.5]), np.repeat(np.arange(40), 3).astype(str)
    covered = []
    for study in range(200):
        rng = np.random.default_rng(study)
        seeds = rng.normal(0, 0.05, (4, 4, 1))
        clips = np.repeat(rng.normal(0, 0.3, (4, 1, 40)), 3, axis=2)
        scores = means[:, None, None] + seeds + clips + rng.normal(0, 0.3, (4, 4, 120))
        size = effect_of(contrast, scores, groups, limits=(-np.inf, np.inf))
        covered.append(size.low <= 0.05 <= size.high)
    assert 0.92 <= np.mean(covered) <= 1.0
