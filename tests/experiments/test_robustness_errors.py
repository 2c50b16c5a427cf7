"""The simulation behind the intervals of effective robustness, in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmvideo.studies.loading import load_module

SIMULATION = load_module(str(Path(__file__).parents[2] / "experiments" / "robustness_errors.py"))


def test_without_scatter_the_line_of_these_arms_is_that_of_all() -> None:
    """Up to what seeds change of it, by which an arm's points lie off the line."""
    rng = np.random.default_rng(0)
    base, off = SIMULATION.latent(6, 0.0, rng)
    distance, (clean, damaged) = SIMULATION.truth(base, 1e-6, rng)
    assert (off == 0).all()
    assert distance == pytest.approx(np.zeros(6), abs=1e-6)
    assert clean == pytest.approx(np.linspace(0.55, 0.85, 6), abs=1e-6)
    assert (damaged < clean).all()


def test_the_line_is_what_narrow_intervals_leave_out() -> None:
    found = SIMULATION.design(4, 3, 0.1, 0.3, repeats=12)
    assert found["interval, all"] >= 85
    assert found["without line, all"] <= 75
    assert found["without line, width"] < found["interval, width"]
