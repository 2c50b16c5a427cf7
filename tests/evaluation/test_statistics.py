from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmvideo.errors import InputError
from mmvideo.evaluation.statistics import Levels, compare_arms, interval_for_arm, verdict

UNBOUNDED = (0.0, float("inf"))


def two_arms(
    rng: np.random.Generator,
    gain: float,
    n_seeds: int = 3,
    n_groups: int = 60,
    per_group: int = 3,
    seed_sd: float = 0.1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correctness of two arms whose latent scores differ by `gain`, with seed, group and clip effects."""
    groups = np.repeat(np.arange(n_groups), per_group)
    difficulty = rng.normal(0, 0.6, n_groups)[groups] + rng.normal(0, 0.8, len(groups))
    arms = []
    for base in (gain, 0.0):
        own = rng.normal(0, 0.4, n_groups)[groups]
        noise = rng.normal(0, seed_sd, (n_seeds, 1)) + rng.normal(0, 1, (n_seeds, len(groups)))
        arms.append(base + difficulty + own + noise > 0)
    return arms[0], arms[1], groups


def test_one_seed_with_one_clip_per_group_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 200)) < 0.7, rng.random((1, 200)) < 0.6
    found = compare_arms(a, b, np.arange(200))
    expected = stats.ttest_1samp((a * 1.0 - b)[0], 0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.clips_only


def test_where_only_the_seed_matters_it_is_the_t_interval_over_seeds() -> None:
    accuracies = np.array([0.5, 0.6, 0.7])
    scores = np.repeat(accuracies[:, None], 40, axis=1)  # every group alike within a seed
    found = interval_for_arm(scores, np.arange(40))
    half = stats.t.ppf(0.975, 2) * accuracies.std(ddof=1) / np.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.6 - half, 0.6 + half))
    assert found.seed_std == pytest.approx(0.1)


def test_clips_of_one_group_count_as_one() -> None:
    rng = np.random.default_rng(1)
    right = rng.random((3, 50)) < 0.6
    alone = interval_for_arm(right, np.arange(50))
    copied = interval_for_arm(np.repeat(right, 10, axis=1), np.repeat(np.arange(50), 10))
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert (copied.n_clips, copied.n_groups) == (500, 50)


@pytest.mark.parametrize(("n_seeds", "n_groups", "seed_sd"), [(3, 30, 0.0), (3, 60, 0.5), (5, 60, 0.1)])
def test_false_alarms_and_coverage(n_seeds: int, n_groups: int, seed_sd: float) -> None:
    """experiments/design_errors.py in small: at most 5 % false alarms, within what 300 repeats can tell."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(300):
        a, b, groups = two_arms(rng, 0.0, n_seeds, n_groups, per_group=2, seed_sd=seed_sd)
        alarms += compare_arms(a, b, groups).p < 0.05
    assert stats.binomtest(alarms, 300, 0.07, alternative="greater").pvalue > 0.001
    assert alarms > 0


def test_a_clear_gain_is_better_and_the_other_way_round_worse() -> None:
    a, b, groups = two_arms(np.random.default_rng(3), gain=1.5)
    forth, back = compare_arms(a, b, groups), compare_arms(b, a, groups)
    assert verdict(forth) == "better"
    assert verdict(back) == "worse"
    assert (forth.difference, forth.low, forth.high) == pytest.approx(
        (-back.difference, -back.high, -back.low)
    )


def test_no_gain_is_undecided() -> None:
    a, b, groups = two_arms(np.random.default_rng(4), gain=0.0)
    found = compare_arms(a, b, groups)
    assert found.low < 0 < found.high
    assert verdict(found).startswith("undecided (needs ")


def test_within_the_margin_it_is_equivalent_and_two_one_sided_tests_decide() -> None:
    rng = np.random.default_rng(12)
    differences = rng.normal(0, 0.1, (1, 400))
    found = compare_arms(differences, np.zeros((1, 400)), np.arange(400), margin=0.02)
    one_sided = [
        stats.ttest_1samp(differences[0], end, alternative=side).pvalue
        for end, side in ((-0.02, "greater"), (0.02, "less"))
    ]
    assert found.equivalent == (max(one_sided) < 0.05)
    many = rng.random((10, 4000)) < 0.8
    other = np.where(rng.random(many.shape) < 0.02, ~many, many)
    same = compare_arms(many, other, np.arange(4000), margin=0.05)
    assert verdict(same, margin="5.0 points") in ("equivalent within 5.0 points", "better")
    assert compare_arms(many, many, np.arange(4000), margin=0.05).equivalent
    assert compare_arms(many, many, np.arange(4000)).equivalent is None
    assert not compare_arms(many[:, :20], many[:, :20], np.arange(20), margin=0.05).equivalent


def test_seed_noise_asks_for_seeds_and_few_clips_ask_for_clips() -> None:
    groups = np.arange(400)
    noisy_seeds = np.zeros((3, 400))
    for row, n in zip(noisy_seeds, (0, 40, 80), strict=True):
        row[:n] = 1  # differences of 0, 10 and 20 points
    found = compare_arms(noisy_seeds, np.zeros_like(noisy_seeds), groups)
    assert found.seeds_needed is not None
    assert 5 <= found.seeds_needed <= 15
    assert verdict(found) == f"undecided (needs about {found.seeds_needed} seeds)"
    few_clips = np.tile(np.random.default_rng(5).permutation([1.0] * 11 + [-1.0] * 9), (3, 1))
    found = compare_arms(few_clips, np.zeros_like(few_clips), np.arange(20))
    assert found.seeds_needed is None
    assert verdict(found) == "undecided (needs more clips)"


def test_two_seeds_do_not_tell_how_many_are_needed() -> None:
    a, b, groups = two_arms(np.random.default_rng(9), 0.35, n_seeds=2, n_groups=200, seed_sd=0.5)
    found = compare_arms(a, b, groups)
    assert found.seeds_needed is not None
    assert verdict(found) == "undecided (needs more seeds)"


def test_many_seeds_are_not_named_by_number_and_clips_are_asked_for_where_they_tell_more() -> None:
    rng, groups = np.random.default_rng(11), np.arange(2000)
    noisy = (rng.random((3, 2000)) < np.array([[0.2], [0.5], [0.82]])).astype(float)
    found = compare_arms(noisy, np.full_like(noisy, 0.45), groups)
    assert verdict(found) == "undecided (needs more than 50 seeds)"
    shared = np.tile(rng.random(60) < 0.5, (3, 1)).astype(float)
    shared[0, :2] = 1 - shared[0, :2]
    found = compare_arms(shared, np.full_like(shared, shared.mean() - 0.17), np.arange(60))
    assert found.seeds_needed is None


def test_the_number_of_seeds_asked_for_is_about_right() -> None:
    rng = np.random.default_rng(6)
    pilot = compare_arms(*two_arms(rng, 0.35, n_seeds=30, n_groups=200, seed_sd=0.5))
    assert pilot.seeds_needed is not None
    found = 0
    for _ in range(60):
        again = compare_arms(*two_arms(rng, 0.35, n_seeds=pilot.seeds_needed, n_groups=200, seed_sd=0.5))
        found += again.p < 0.05
    assert 0.5 < found / 60 < 0.98


def test_more_comparisons_need_more_seeds() -> None:
    a, b, groups = two_arms(np.random.default_rng(7), 0.4, seed_sd=0.4, n_groups=200)
    one, many = (compare_arms(a, b, groups, levels=Levels(alpha)).seeds_needed for alpha in (0.05, 0.0025))
    assert one is not None
    assert many is not None
    assert many > one


def test_one_seed_never_earns_a_word() -> None:
    a, b, groups = two_arms(np.random.default_rng(8), gain=2.0, n_seeds=1)
    found = compare_arms(a, b, groups)
    assert found.low > 0
    assert verdict(found) == "no verdict (one seed)"
    assert interval_for_arm(a, groups).seed_std is None


def test_no_exception_in_the_sample_is_no_certainty() -> None:
    right = np.ones((3, 50), dtype=bool)
    found = interval_for_arm(right, np.arange(50))
    assert found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / 50))
    same = compare_arms(right, right, np.arange(50))
    assert same.low < 0 < same.high
    assert same.p == 1


def test_where_every_group_agrees_the_limits_are_what_unseen_groups_could_make_of_it() -> None:
    """A quarter right in each of 12 groups: a share q of all groups may have all wrong, or all right."""
    right = np.tile([True, False, False, False], 12)[None].repeat(3, axis=0)
    found = interval_for_arm(right, np.repeat(np.arange(12), 4))
    q = 1 - 0.025 ** (1 / 12)
    assert (found.mean, found.low, found.high) == pytest.approx((0.25, 0.25 * (1 - q), 0.25 * (1 - q) + q))


def test_always_right_against_always_wrong_is_the_sign_test() -> None:
    right = np.ones((3, 8), dtype=bool)
    found = compare_arms(right, ~right, np.arange(8))
    assert found.p == pytest.approx(stats.binomtest(8, 8).pvalue)
    assert 0 < found.low < found.high == 1
    few = compare_arms(right[:, :5], ~right[:, :5], np.arange(5))
    assert few.p > 0.05
    assert few.low < 0


def test_where_all_clips_agree_more_seeds_would_tell_nothing() -> None:
    """Every seed and clip differs by the same 0.2: what stays open is what other groups would say."""
    found = compare_arms(np.full((2, 12), 0.7), np.full((2, 12), 0.5), np.arange(12))
    assert found.p > 0.05
    assert found.seeds_needed is None
    assert verdict(found) == "undecided (needs more clips)"


def test_refusals() -> None:
    with pytest.raises(InputError, match="at least 2 groups"):
        interval_for_arm(np.ones((3, 4)), np.array(["g"] * 4))
    with pytest.raises(InputError, match="same seeds and clips"):
        compare_arms(np.ones((3, 4)), np.ones((2, 4)), np.arange(4))


@st.composite
def scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """Two arms' scores of a few seeds and clips, right or wrong or errors of any size; ties are likely."""
    n_seeds, n_clips = draw(st.integers(1, 6)), draw(st.integers(2, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups = rng.integers(draw(st.integers(2, n_clips)), size=n_clips)
    groups[:2] = 0, 1
    levels = np.clip(
        draw(st.floats(0, 1)) + rng.normal(0, draw(st.sampled_from([0, 0.01, 0.3])), (2, n_seeds, 1)), 0, 1
    )
    a, b = rng.random((2, n_seeds, n_clips)) < levels
    if draw(st.booleans()):
        return a, b, groups, (0.0, 1.0)
    size = 10.0 ** draw(st.integers(-12, 6))
    noise = draw(st.sampled_from([0.0, 1e-9, 0.1])) * rng.normal(size=(2, n_seeds, n_clips))
    a, b = size * np.abs(np.stack([a, b]) + noise)
    return a, b, groups, UNBOUNDED


@pytest.mark.fuzz
@settings(max_examples=100, derandomize=True)
@given(scores(), st.sampled_from([0.05, 0.01, 0.001]))
def test_interval_p_and_word_agree(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]], alpha: float
) -> None:
    a, b, groups, limits = drawn
    n_seeds = len(a)
    found = compare_arms(a, b, groups, limits=limits, levels=Levels(alpha))
    assert found.low <= found.difference <= found.high
    assert 0 < found.p <= 1
    assert (found.p < alpha) == (not found.low <= 0 <= found.high)
    word = verdict(found)
    if asked := re.search(r"about (\d+) seeds", word):
        assert int(asked[1]) > n_seeds
    order = np.random.default_rng(0).permutation(len(groups))
    turned = compare_arms(a[::-1][:, order], b[::-1][:, order], groups[order], limits=limits)
    assert turned.p == pytest.approx(found.p, rel=1e-4)
    back = compare_arms(b, a, groups, limits=limits, levels=Levels(alpha))
    assert (back.low, back.high, back.p) == pytest.approx((-found.high, -found.low, found.p))
    assert interval_for_arm(a, groups, limits=limits).low >= limits[0]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(-0.6, 0.6))
def test_errors_earn_the_words_that_their_negatives_earn_as_scores(seed: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    shared = np.abs(rng.normal(size=40))
    a, b = (shared + shift + 0.1 * rng.normal(size=(3, 40)) for shift in (1 + gain, 1.0))
    errors = compare_arms(a, b, np.arange(40), limits=UNBOUNDED)
    scores = compare_arms(-a, -b, np.arange(40), limits=(float("-inf"), 0.0))
    assert scores.difference == pytest.approx(-errors.difference)
    assert (scores.low, scores.high) == pytest.approx((-errors.high, -errors.low))
    word = verdict(errors, higher_is_better=False)
    assert word == verdict(scores)
    if errors.p < 0.05:
        assert word == ("better" if errors.difference < 0 else "worse")


def test_an_interval_of_errors_has_no_upper_end_but_no_error_is_negative() -> None:
    rng = np.random.default_rng(0)
    large = interval_for_arm(50 + rng.normal(size=(3, 30)), np.arange(30), limits=UNBOUNDED)
    assert 49 < large.low < large.mean < large.high < 51
    rare = np.zeros((3, 30))
    rare[:, 0] = 30
    assert interval_for_arm(rare, np.arange(30), limits=UNBOUNDED).low == 0
    assert interval_for_arm(rare, np.arange(30), limits=UNBOUNDED).high > 2


def test_errors_without_spread_are_left_to_the_sign_test() -> None:
    shifted, plain = np.full((3, 12), 1.5), np.full((3, 12), 1.0)
    many = compare_arms(shifted, plain, np.arange(12), limits=UNBOUNDED)
    assert (many.low, many.high) == (0.5, 0.5)
    assert many.p == pytest.approx(2 / 2**12)
    few = compare_arms(shifted[:, :4], plain[:, :4], np.arange(4), limits=UNBOUNDED)
    assert (few.low, few.high) == (float("-inf"), float("inf"))
    assert few.p == pytest.approx(2 / 2**4)
    same = compare_arms(plain, plain, np.arange(12), limits=UNBOUNDED)
    assert (same.low, same.high, same.p) == (0, 0, 1)


def test_a_lower_level_gives_a_narrower_interval_and_where_all_is_right_the_exact_bound() -> None:
    groups = np.repeat(np.arange(100), 8)
    right = np.ones((5, 800))
    assert interval_for_arm(right, groups).low == pytest.approx(0.025 ** (1 / 100))
    assert interval_for_arm(right, groups, level=0.9).low == pytest.approx(0.05 ** (1 / 100))
    mixed = np.random.default_rng(0).random((5, 800)) < 0.7
    wide, narrow = interval_for_arm(mixed, groups), interval_for_arm(mixed, groups, level=0.9)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_where_seeds_are_not_enough_but_come_first_both_are_asked_for() -> None:
    draw, seen = np.random.default_rng(3), set()
    for _ in range(60):
        hard = draw.normal(0, 1, 20)
        scores = draw.normal(0, 0.5, (3, 20)) + hard > -0.2
        others = draw.normal(0, 0.5, (3, 20)) - 0.3 * hard > 0
        found = compare_arms(scores.astype(float), others.astype(float), np.arange(20))
        if found.seeds_needed is None and found.low <= 0 <= found.high:
            first = found.next_dollar.advice == "more seeds"
            seen.add(first)
            word = "more seeds and clips" if first else "more clips"
            assert verdict(found) == f"undecided (needs {word})"
    assert seen == {True, False}
