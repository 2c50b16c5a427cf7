"""The Perceiver against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_layers import SUBSETS, made, mlp, run, same, weights
from numpy_tokens import block, sequences


@pytest.mark.parametrize(("latents", "layers"), [(16, 2), (1, 1)])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], latents: int, layers: int) -> None:
    fusion, features = made("perceiver", modalities, latents=latents, layers=layers)
    w = weights(fusion)
    pooled, _ = run(fusion, features)
    for row in range(len(pooled)):
        state = block(w, "read", w["latents"], np.concatenate(sequences(fusion, w, features, row)))
        for layer in range(layers):
            state = block(w, f"think.{layer}", state, state)
        same(pooled[row], mlp(w, "mix", state.mean(axis=0)))
