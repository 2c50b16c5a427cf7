"""The Perceiver against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_layers import SUBSETS, made, mlp, run, same, weights
from numpy_tokens import block, sequences

from mmvideo.errors import InputError
from mmvideo.vocabulary import MODALITIES


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


@pytest.mark.parametrize("option", ["latents", "layers", "heads"])
def test_options_are_counts(option: str) -> None:
    with pytest.raises(InputError, match=f"'perceiver': {option} must be a whole number of at least 1"):
        made("perceiver", MODALITIES, **{option: 0})
