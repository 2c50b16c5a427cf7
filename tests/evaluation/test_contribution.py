"""Contributions on games whose answer is known: by enumeration of the planted tasks, and by hand."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from mmvideo.evaluation.contribution import (
    dividends,
    emap,
    emap_from_draws,
    removals,
    shapley,
    subsets_of,
)
from mmvideo.planted import bayes_accuracy
from mmvideo.vocabulary import MODALITIES, presence_pattern


def game(task: str) -> dict[str, float]:
    return {presence_pattern(s): bayes_accuracy(task, s) for s in subsets_of(MODALITIES)}


def plain(found: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in found.items()}


@pytest.mark.parametrize("modality", MODALITIES)
def test_unique_is_all_in_one_modality(modality: str) -> None:
    values = game(f"unique_{modality}")
    assert plain(shapley(values, MODALITIES)) == {m: 0.75 * (m == modality) for m in MODALITIES}
    found = plain(dividends(values, MODALITIES))
    assert {name for name, value in found.items() if value} == {"none", modality}


def test_redundant_pairs_overlap() -> None:
    """Two channels that are right 70 % of the time are no better than one: 0.7 - 0.7 - 0.7 + 0.25."""
    found = plain(dividends(game("redundant"), MODALITIES))
    assert {found[pair] for pair in ("visual+audio", "visual+text", "audio+text")} == {-0.45}
    assert found["visual+audio+text"] > 0
    assert len(set(plain(shapley(game("redundant"), MODALITIES)).values())) == 1


def test_synergy_is_in_all_three_alone() -> None:
    """Any two tell nothing of a sum modulo 2."""
    found = plain(dividends(game("synergy"), MODALITIES))
    assert {name for name, value in found.items() if value} == {"none", "visual+audio+text"}
    assert found["visual+audio+text"] == 0.5
    assert plain(shapley(game("synergy"), MODALITIES)) == dict.fromkeys(MODALITIES, round(1 / 6, 6))


def test_routed_and_mixed_as_enumerated() -> None:
    """`routed`: the question is worth nothing by itself or beside one, and all three hold the rest."""
    found = plain(dividends(game("routed"), MODALITIES))
    assert (found["visual+audio"], found["visual+text"], found["audio+text"]) == (-0.375, 0, 0)
    assert found["visual+audio+text"] == 0.375
    assert plain(shapley(game("routed"), MODALITIES)) == {"visual": 0.3125, "audio": 0.3125, "text": 0.125}
    mixed = plain(dividends(game("mixed"), MODALITIES))
    assert mixed["visual+audio"] < 0 < mixed["visual+audio+text"]
    assert mixed["text"] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_agree_with_the_definition_over_orders(count: int) -> None:
    """Shapley's mean over all orders in which modalities may join; dividends add up to every value."""
    names = tuple("abcd"[:count])
    draw = np.random.default_rng(count)
    values = {presence_pattern(s): draw.normal(size=(2, 5)) for s in subsets_of(names)}
    joined: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for order in permutations(names):
        for place, name in enumerate(order):
            before = tuple(m for m in names if m in order[:place])
            after = tuple(m for m in names if m in order[: place + 1])
            joined[name].append(values[presence_pattern(after)] - values[presence_pattern(before)])
    found, parts = shapley(values, names), dividends(values, names)
    for name in names:
        np.testing.assert_allclose(found[name], np.mean(joined[name], axis=0), atol=1e-12)
    for subset in subsets_of(names):
        total = sum(parts[presence_pattern(s)] for s in subsets_of(subset))
        np.testing.assert_allclose(total, values[presence_pattern(subset)], atol=1e-12)


def test_removals_are_the_last_step() -> None:
    values = {"none": 0.2, "a": 0.5, "b": 0.4, "a+b": 0.9}
    assert plain(removals(values, ("a", "b"))) == {"a": 0.5, "b": 0.4}


def every_combination(size: int, count: int) -> np.ndarray:
    return np.array(list(product(range(size), repeat=count)))


@pytest.mark.parametrize("count", [2, 3])
def test_emap_over_all_combinations_is_the_formula(count: int) -> None:
    size = 5
    owners = every_combination(size, count)
    logits = np.random.default_rng(0).normal(size=(len(owners), 3))
    means = np.array([[logits[owners[:, m] == i].mean(axis=0) for i in range(size)] for m in range(count)])
    given_one, overall = emap_from_draws(owners, logits)
    np.testing.assert_allclose(given_one, means, atol=1e-9)
    expected = means.sum(axis=0) - (count - 1) * logits.mean(axis=0)
    np.testing.assert_allclose(emap(given_one, overall), expected, atol=1e-9)


def test_emap_keeps_an_additive_model_and_takes_a_product_away() -> None:
    draw = np.random.default_rng(1)
    size, few = 40, 12
    terms = draw.normal(size=(3, size, 4))
    own = np.repeat(np.arange(size)[:, None], 3, axis=1)
    owners = np.concatenate(
        [np.stack([draw.permutation(size) for _ in range(3)], axis=1) for _ in range(few)]
    )
    additive = sum(terms[m][owners[:, m]] for m in range(3))
    found = emap(*emap_from_draws(owners, additive))
    np.testing.assert_allclose(found, sum(terms[m][own[:, m]] for m in range(3)), atol=1e-6)
    signs = draw.choice([-1.0, 1.0], size=(size, 2))
    signs -= signs.mean(axis=0)
    full = every_combination(size, 2)
    product_of_both = (signs[full[:, 0], 0] * signs[full[:, 1], 1])[:, None]
    assert np.abs(emap(*emap_from_draws(full, product_of_both))).max() < 1e-9
