"""The multimodal transfer module against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_layers import SUBSETS, Array, linear, made, mlp, run, same, sigmoid, softmax, weights


def attention_pool(w: dict[str, Array], name: str, tokens: Array) -> Array:
    """Real tokens (N, D) → (D,)."""
    scores = linear(w, f"{name}.score", np.tanh(linear(w, f"{name}.hidden", tokens)))[:, 0]
    return softmax(scores) @ tokens


@pytest.mark.parametrize("reduction", [1, 4, 1000])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], reduction: int) -> None:
    """Clip by clip, on the real tokens alone: padding is not even there."""
    fusion, features = made("mmtm", modalities, reduction=reduction)
    w = weights(fusion)
    assert len(w["code.bias"]) == max(1, len(modalities) * fusion.width // reduction)
    pooled, diagnostics = run(fusion, features)
    for row in range(len(pooled)):
        tokens = [
            features[m].trunk.values[row][features[m].trunk.mask[row]].double().numpy() for m in modalities
        ]
        squeezed = [t.mean(axis=0) if len(t) else w["absent"][m] for m, t in enumerate(tokens)]
        code = np.maximum(linear(w, "code", np.concatenate(squeezed)), 0)
        gates = np.split(2 * sigmoid(linear(w, "excite", code)), len(modalities))
        vectors = [
            attention_pool(w, f"pools.{m}", t * gates[m]) if len(t) else w["absent"][m]
            for m, t in enumerate(tokens)
        ]
        same(pooled[row], mlp(w, "mix", np.concatenate(vectors)))
        same(diagnostics["gates"][row], np.array([gate.mean() for gate in gates]))
