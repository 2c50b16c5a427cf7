"""The simulation of intervals and verdicts: its truth is the truth, and its rates are of what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmvideo.studies.loading import load_module

SIMULATION = load_module(str(Path(__file__).parents[2] / "experiments" / "design_errors.py"))


def test_arms_have_the_accuracy_they_are_said_to_have() -> None:
    right = SIMULATION.simulate(np.random.default_rng(0), (0.0, 0.1), 40, np.repeat(np.arange(2000), 2), 0.1)
    assert right.mean(axis=(1, 2)) == pytest.approx([SIMULATION.LEAST, SIMULATION.LEAST + 0.1], abs=0.02)


def test_holm_finds_what_the_family_finds_one_by_one() -> None:
    rng, groups = np.random.default_rng(1), np.arange(400)
    family = next(SIMULATION.studies(rng, 1, 0.2, 5, groups, 0.0))[1]
    assert SIMULATION.found(family).all()
    assert SIMULATION.found_by_holm(family).all()
    same = next(SIMULATION.studies(rng, 1, 0.0, 5, groups, 0.0))[1]
    assert not SIMULATION.found_by_holm(same).any()


def test_rates_are_percentages_of_studies() -> None:
    rates = SIMULATION.errors(np.random.default_rng(2), 4, 3, np.arange(40), 0.1)
    assert set(rates) >= {"max_t", "holm", "coverage", "equivalent", "pigeonhole"}
    assert all(0 <= rate <= 100 for rate in rates.values())
    assert rates["holm"] <= rates["max_t"]
