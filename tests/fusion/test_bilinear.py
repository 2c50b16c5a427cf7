"""Bilinear fusion of pairs against its formula."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy_layers import SUBSETS, made, mlp, run, same, vectors, weights


@pytest.mark.parametrize("combine", ["sum", "concat"])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], combine: str) -> None:
    fusion, features = made("bilinear", modalities, rank=2, factor_width=5, combine=combine)
    w, (x, _) = weights(fusion), vectors(fusion, features)
    u = [np.tanh(v @ w["project.weight"][m] + w["project.bias"][m]) for m, v in enumerate(x)]
    left, right = w["factors"]
    products = []
    for pair, (a, b) in enumerate(list(combinations(range(len(u)), 2)) or [(0, 0)]):
        # the Tucker core of this pair, formed in full: T[i, j, o] = Σ_r P[i, r, o] Q[j, r, o]
        core = np.einsum("iro,jro->ijo", left[pair], right[pair])
        products.append(np.einsum("ijo,bi,bj->bo", core, u[a], u[b]))
    joined = sum(products) if combine == "sum" else np.concatenate(products, axis=1)
    pooled, diagnostics = run(fusion, features)
    same(pooled, mlp(w, "mix", joined))
    norms = np.stack([np.linalg.norm(product, axis=1) for product in products], axis=1)
    same(diagnostics["pair_share"], norms / norms.sum(axis=1, keepdims=True))
