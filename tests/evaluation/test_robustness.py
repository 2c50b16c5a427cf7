"""Areas by hand, and effective robustness where the line is known."""

from __future__ import annotations

import numpy as np
import pytest

from mmvideo.errors import InputError
from mmvideo.evaluation.robustness import area, effective_robustness, line_half_widths


def test_area_is_the_mean_height() -> None:
    assert area(np.array([[1.0], [1.0], [1.0]])).item() == 1.0
    assert area(np.array([[1.0], [0.5], [0.0]])).item() == 0.5
    assert area(np.array([[1.0], [0.2], [0.2], [0.2]])).item() == pytest.approx((0.6 + 0.2 + 0.2) / 3)
    with pytest.raises(InputError, match="two severities"):
        area(np.ones((1, 4)))


def test_area_of_clips_is_that_of_their_mean() -> None:
    scores = np.random.default_rng(0).random((6, 3, 20))
    assert area(scores).mean() == pytest.approx(area(scores.mean(axis=(1, 2), keepdims=True)).item())


@pytest.fixture
def numbers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of five arms, three seeds and 60 clips in 20 groups: damaged = 2 · clean + 1, but of the last
    arm 0.5 less."""
    draw = np.random.default_rng(0)
    level = np.array([0.0, 1.0, 2.0, 3.0, 1.5])[:, None, None]
    clean = level + 0.1 * draw.normal(size=(5, 3, 60))
    damaged = 2 * clean + 1
    damaged[-1] -= 0.5
    return clean, damaged, np.arange(60) // 3


def test_effective_robustness_is_the_distance_from_the_others_line(
    numbers: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = effective_robustness(*numbers, share=False)
    value, low, high = found[-1]
    assert value == pytest.approx(-0.5, abs=1e-6)
    assert low <= value <= high < 0
    assert found == effective_robustness(*numbers, share=False)


def test_shares_are_compared_in_logits() -> None:
    """All on one line of logits: nobody is more robust than its clean score says."""
    clips = 4000
    clean_shares, damaged_shares = (1 / (1 + np.exp(-np.array(z))) for z in ([0.5, 1, 2, 3], [-0.5, 0, 1, 2]))

    def right(shares: np.ndarray) -> np.ndarray:
        return (np.arange(clips) / clips < shares[:, None, None]).astype(float)

    units = np.random.default_rng(0).permutation(clips) % 200
    for value, low, high in effective_robustness(
        right(clean_shares), right(damaged_shares), units, share=True
    ):
        assert value == pytest.approx(0, abs=2e-3)
        assert low <= value <= high


def test_no_line_through_two_others() -> None:
    three = np.zeros((3, 2, 5))
    assert np.isnan(effective_robustness(three, three, np.arange(5), share=False)).all()


def test_a_line_through_models_that_are_alike_tells_little_of_another() -> None:
    """Their clean scores fix no slope: of one far from them the interval is the wider."""
    draw = np.random.default_rng(3)
    clean = (draw.random((5, 3, 100)) < 0.9).astype(float)
    damaged = (draw.random((5, 3, 100)) < 0.5).astype(float)
    far = clean.copy()
    far[-1] = draw.random((3, 100)) < 0.3
    (_, low, high), (_, far_low, far_high) = (
        effective_robustness(c, damaged, np.arange(100), share=True)[-1] for c in (clean, far)
    )
    assert far_high - far_low > 2 * (high - low)


def test_intervals_allow_for_models_that_lie_about_their_line() -> None:
    """Six arms, each 0.5 logits off a line (1 sd): of the distances from that line, intervals that resample
    seeds and clips only covered about half."""
    draw = np.random.default_rng(11)
    units, covered, narrow = np.arange(400) // 4, [], []
    for _ in range(25):
        clean = np.linspace(0.3, 1.6, 6)
        off = draw.normal(0, 0.5, 6)
        shares = 1 / (1 + np.exp(-np.stack([clean, 0.8 * clean - 0.8 + off])))
        right = draw.random((2, 6, 5, 400)) < shares[:, :, None, None]
        expected = shares[1] - 1 / (1 + np.exp(-(0.8 * clean - 0.8)))
        value, low, high = np.array(effective_robustness(*right, units, share=True)).T
        line = line_half_widths(right.mean(axis=3), 400, share=True)
        covered.append((low <= expected) & (expected <= high))
        before = np.sqrt(np.maximum(np.stack([value - low, high - value]) ** 2 - line**2, 0))
        narrow.append((value - before[0] <= expected) & (expected <= value + before[1]))
    assert np.mean(covered) >= 0.9
    assert np.mean(narrow) < 0.7
