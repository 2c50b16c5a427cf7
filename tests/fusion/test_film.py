"""Feature-wise linear modulation against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, layer_norm, linear, made, mlp, run, same, vectors, weights

from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize(
    ("modalities", "conditioned"),
    [*((modalities, "all") for modalities in SUBSETS), (MODALITIES, "audio"), (("visual", "text"), "visual")],
)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], conditioned: str) -> None:
    fusion, features = made("film", modalities, conditioned=conditioned)
    w, (x, _) = weights(fusion), vectors(fusion, features)
    parts, strength = [], []
    for m, name in enumerate(modalities):
        y = layer_norm(x[m])
        if conditioned in ("all", name) and len(modalities) > 1:
            others = np.concatenate([x[n] for n in range(len(x)) if n != m], axis=1)
            gamma, beta = np.split(linear(w, f"generators.{name}", others), 2, axis=1)
            y = (1 + gamma) * y + beta
            strength.append(np.sqrt((gamma**2).mean(axis=1)))
        parts.append(y)
    pooled, diagnostics = run(fusion, features)
    same(pooled, mlp(w, "mix", np.concatenate(parts, axis=1)))
    if strength:
        same(diagnostics["modulation"], np.stack(strength, axis=1))
    else:
        assert diagnostics == {}


def test_a_generator_that_says_nothing_changes_nothing() -> None:
    fusion, features = made("film", MODALITIES)
    with torch.no_grad():
        for parameter in fusion.generators.parameters():
            parameter.zero_()
    x, _ = vectors(fusion, features)
    expected = mlp(weights(fusion), "mix", np.concatenate([layer_norm(v) for v in x], axis=1))
    same(run(fusion, features)[0], expected)
