"""Attention over modalities against its formula, and what it may read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_layers import SUBSETS, linear, made, mlp, run, same, softmax, vectors, weights

from mmvideo.contract.fusions import WIDTH
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize("score", ["additive", "dot"])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], score: str) -> None:
    """Clip by clip, over the modalities it has: the absent are not even there."""
    fusion, features = made("attention", modalities, score=score)
    w, (x, present) = weights(fusion), vectors(fusion, features)
    pooled, diagnostics = run(fusion, features)
    for row, here in enumerate(present):
        readable = np.flatnonzero(here) if here.any() else np.arange(len(here))
        vector = np.stack([x[m][row] for m in readable])
        if len(x) > 1:
            named = vector + w["scorer.names"][readable]
            query, keys = linear(w, "scorer.query", named.mean(axis=0)), linear(w, "scorer.key", named)
            energy = keys @ query / np.sqrt(WIDTH)
            if score == "additive":
                energy = linear(w, "scorer.energy", np.tanh(keys + query))[:, 0]
        else:
            energy = np.zeros(1)
        alpha = softmax(energy)
        values = np.stack([linear(w, f"values.{m}", v) for m, v in zip(readable, vector, strict=True)])
        same(pooled[row], mlp(w, "mix", alpha @ values))
        expected = np.zeros(len(here))
        expected[readable] = alpha
        same(diagnostics["modality_weights"][row], expected)


def test_weights_sum_to_one_and_the_absent_have_none() -> None:
    fusion, features = made("attention", MODALITIES)
    alpha = run(fusion, features)[1]["modality_weights"]
    _, present = vectors(fusion, features)
    np.testing.assert_allclose(alpha.sum(axis=1), 1, rtol=1e-6)
    assert (alpha[~present & present.any(axis=1, keepdims=True)] == 0).all()
    assert (alpha[present] > 0).all()
