"""Main effects and two-way interactions of a factorial study, as contrasts of its arms with intervals.

An arm's mean is taken as the sum of a grand mean, an effect of each factor's level and one of each pair of
levels, where the effects of a factor, and of a pair over either of its factors, add up to 0 (sum-to-zero
coding; Montgomery, Design and Analysis of Experiments, ch. 5). With all combinations there, the effect of a
level is the mean of its arms less that of all arms, and the interaction of two levels is what the mean of
their arms differs by from the sum of the grand mean and their effects. Where combinations are missing,
effects are those of the least-squares fit of the main effects alone, and a pair of factors that lacks some of
its combinations has no interaction.

Each is a weighted sum of arms, so its values for seed s on clip i are, too; seeds and groups of clips are
crossed in its interval as in that of any difference (see `mmvideo.evaluation.spread`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from mmvideo.evaluation.statistics import ALONE, UNIT, Levels, PairedComparison, compare_arms


@dataclass(frozen=True, eq=False)
class Contrast:
    """An effect as a weighted sum of arms; the weights add up to 0."""

    factors: tuple[str, ...]
    """One: a main effect. Two: their interaction."""
    levels: tuple[str, ...]
    weights: Float[ndarray, " A"]
    n_arms: int
    """With these levels."""


def factor_levels(arms: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """The factors that have two levels or more, with these in the order of the arms."""
    found: dict[str, dict[str, None]] = {}
    for arm in arms:
        for factor, level in arm.items():
            found.setdefault(factor, {})[level] = None
    return {
        factor: tuple(levels)
        for factor, levels in found.items()
        if len(levels) > 1 and all(factor in arm for arm in arms)
    }


def contrasts(arms: Sequence[Mapping[str, str]]) -> list[Contrast]:
    """All effects that can be told of arms: main effects factor by factor, then interactions pair by pair.

    Args:
        arms: each arm's level of every factor; no two have the same.

    Returns:
        None of a factor whose effect cannot be told from that of others, as where two change together.
    """
    levels = factor_levels(arms)
    found = [effect for factor in levels for effect in _main(arms, levels, factor)]
    for pair in combinations(levels, 2):
        of_pair = [(arm[pair[0]], arm[pair[1]]) for arm in arms]
        if set(of_pair) == set(product(levels[pair[0]], levels[pair[1]])):
            found += _interaction(of_pair, pair, levels)
    return found


def effect_of(
    contrast: Contrast,
    scores: Shaped[ndarray, "A S n"],
    groups: Shaped[ndarray, " n"],
    *,
    limits: tuple[float, float] = UNIT,
    levels: Levels = ALONE,
) -> PairedComparison:
    """The size of an effect with its 95 % interval and p, over seeds and groups of clips.

    Args:
        scores: of each arm, its seeds' scores on the test clips; the same seeds and clips in all.
        limits: the lowest and the highest score there can be.
        levels: of the family of effects; by itself: 95 %.

    Raises:
        InputError: fewer than 2 groups, or no seed.
    """
    for_, against = np.clip(contrast.weights, 0, None), np.clip(-contrast.weights, 0, None)
    higher, lower = (np.tensordot(part, scores.astype(float), axes=1) for part in (for_, against))
    total = float(for_.sum())
    low, high = (limit * total for limit in limits)
    return compare_arms(higher, lower, groups, limits=(low, high), levels=levels)


def _main(
    arms: Sequence[Mapping[str, str]], levels: Mapping[str, tuple[str, ...]], factor: str
) -> list[Contrast]:
    """The effect of each level of a factor, from a fit of all main effects at once."""
    columns = [np.ones(len(arms))]
    own: list[int] = []
    for name, values in levels.items():
        for value in values[:-1]:
            own += [len(columns)] if name == factor else []
            columns.append(np.array([(arm[name] == value) - float(arm[name] == values[-1]) for arm in arms]))
    matrix = np.stack(columns, axis=1)
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return []
    first = np.linalg.pinv(matrix)[own]  # of all levels but the last, whose effect takes the sum to 0
    weights = np.vstack([first, -first.sum(axis=0)])
    return [
        Contrast((factor,), (value,), row, sum(arm[factor] == value for arm in arms))
        for value, row in zip(levels[factor], weights, strict=True)
    ]


def _interaction(
    of_pair: Sequence[tuple[str, str]], pair: tuple[str, str], levels: Mapping[str, tuple[str, ...]]
) -> list[Contrast]:
    """Of each two levels: each cell of the table of the pair's means counts once, however many arms are in
    it."""
    counts = {cell: of_pair.count(cell) for cell in of_pair}
    rows, columns = (len(levels[factor]) for factor in pair)
    found = []
    for cell in product(levels[pair[0]], levels[pair[1]]):
        weights = np.array(
            [
                ((one == cell[0]) - 1 / rows) * ((other == cell[1]) - 1 / columns) / counts[one, other]
                for one, other in of_pair
            ]
        )
        found.append(Contrast(pair, cell, weights, counts[cell]))
    return found
