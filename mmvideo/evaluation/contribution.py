"""What each modality contributes to a score: dividends and Shapley values over all subsets, and EMAP.

A game gives every subset S of the modalities its value v(S): the score of a model that is left with S. What
stands in for a removed modality (see mmvideo.training.stand_ins) is part of the game, and another stand-in
may turn a sign. Values may be arrays, such as the scores of every seed on every clip: all here is linear in
them, so that means of contributions are contributions of means. M modalities make 2^M subsets, and nothing
is sampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

from mmvideo.vocabulary import presence_pattern

PASSES = 100
"""Of the least squares fit of an additive model; it ends sooner where nothing changes any more."""
SETTLED = 1e-9


def subsets_of(modalities: Iterable[str]) -> list[tuple[str, ...]]:
    """All 2^M, from none to all, as records have them: by size, then in order."""
    given = tuple(modalities)
    return [s for size in range(len(given) + 1) for s in combinations(given, size)]


def dividends(
    values: Mapping[str, Float[ndarray, "*n"] | float], modalities: tuple[str, ...]
) -> dict[str, ndarray]:
    """Harsanyi dividends m(S) = Σ over T ⊆ S of (-1)^(|S|-|T|) v(T): what S gives beyond all its parts.

    Harsanyi (1963), International Economic Review 4(2). v(S) is the sum of the dividends of the subsets of S.

    Args:
        values: v by presence pattern (`visual+audio`, `none`), of every subset.

    Returns:
        By presence pattern; that of `none` is v(none).
    """
    found = {}
    for subset in subsets_of(modalities):
        signed = [
            (-1) ** (len(subset) - len(part)) * np.asarray(values[presence_pattern(part)], dtype=float)
            for part in subsets_of(subset)
        ]
        found[presence_pattern(subset)] = np.sum(signed, axis=0)
    return found


def shapley(
    values: Mapping[str, Float[ndarray, "*n"] | float], modalities: tuple[str, ...]
) -> dict[str, ndarray]:
    """Shapley values φ_i = Σ over S that hold i of m(S) / |S|; they add up to v(all) - v(none).

    Shapley (1953), A value for n-person games. Arguments are those of `dividends`; by modality.
    """
    shares = dividends(values, modalities)
    return {
        name: np.sum(
            [shares[presence_pattern(s)] / len(s) for s in subsets_of(modalities) if name in s], axis=0
        )
        for name in modalities
    }


def removals(
    values: Mapping[str, Float[ndarray, "*n"] | float], modalities: tuple[str, ...]
) -> dict[str, ndarray]:
    """By modality, v(all) less v(all others): what its removal costs. Where what stands in is another clip's,
    this is the permutation score (Breiman 2001)."""
    whole = np.asarray(values[presence_pattern(modalities)], dtype=float)
    return {
        name: whole - np.asarray(values[presence_pattern(m for m in modalities if m != name)], dtype=float)
        for name in modalities
    }


def emap(given_one: Float[ndarray, "M n C"], overall: Float[ndarray, " C"]) -> Float[ndarray, "n C"]:
    """The projection of a model's logits onto additive functions: Σ_m E[f | x_m] - (M - 1) E[f].

    Hessel & Lee (2020, https://aclanthology.org/2020.emnlp-main.62) for two modalities; the same for M. The
    modalities are taken to be independent of each other.

    Args:
        given_one: for each modality, the mean logits with each clip's own and the others of all clips.
        overall: the mean logits over all combinations.
    """
    return given_one.sum(axis=0) - (len(given_one) - 1) * overall


def emap_from_draws(
    owners: Int[ndarray, "P M"], logits: Float[ndarray, "P C"]
) -> tuple[Float[ndarray, "M n C"], Float[ndarray, " C"]]:
    """What `emap` takes, by least squares from some of the combinations.

    The additive function that is nearest to the logits at the combinations drawn. Over all n^M combinations
    its terms are the conditional means themselves; with fewer, chance imbalances between draws cancel, and an
    additive model is found as it is.

    Args:
        owners: for each draw and modality, the number of the clip whose modality the model was shown; drawn
            independently of each other.
    """
    n_modalities = owners.shape[1]
    size = int(owners.max()) + 1
    means = [_means_by(column, size) for column in owners.T]
    overall = logits.mean(axis=0, dtype=float)
    terms = np.zeros((n_modalities, size, logits.shape[1]))
    left = logits - overall
    for _ in range(PASSES):
        moved = 0.0
        for m, mean in enumerate(means):
            step = mean @ left
            terms[m] += step
            left -= step[owners[:, m]]
            moved = max(moved, float(np.abs(step).max(initial=0.0)))
        if moved < SETTLED * max(1.0, float(np.abs(logits).max(initial=0.0))):
            break
    return terms + overall, overall


def _means_by(owner: Int[ndarray, " P"], size: int) -> csr_array:
    """What takes the mean of values (P, C) by owner, (size, P); an owner of none has 0."""
    share = 1 / np.bincount(owner, minlength=size).clip(min=1)
    return csr_array((share[owner], (owner, np.arange(len(owner)))), shape=(size, len(owner)))
