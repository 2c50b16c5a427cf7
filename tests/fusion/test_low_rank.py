"""Low-rank fusion against its formula and against tensor fusion; its factors are trained and saved."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, Array, layer_norm, made, mlp, run, same, vectors, weights

from mmvideo.contract.fusions import WIDTH
from mmvideo.fusion import Fusion
from mmvideo.fusion.low_rank import LowRankFusion
from mmvideo.types import Features
from mmvideo.vocabulary import MODALITIES


def with_ones(fusion: Fusion, features: dict[str, Features]) -> list[Array]:
    """[x_m; 1] of each modality."""
    x, _ = vectors(fusion, features)
    return [np.concatenate([layer_norm(v), np.ones((len(v), 1))], axis=1) for v in x]


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], rank: int) -> None:
    fusion, features = made("low_rank", modalities, rank=rank)
    w, x = weights(fusion), with_ones(fusion, features)
    fused = w["bias"] + sum(
        w["rank_weights"][0, r] * np.prod([x[m] @ w["factors"][m, :, r] for m in range(len(x))], axis=0)
        for r in range(rank)
    )
    same(run(fusion, features)[0], mlp(w, "mix", fused))


def test_it_is_a_tensor_fusion_whose_weight_has_low_rank() -> None:
    """W = Σ_r w_r ⊗_m F_m^(r), formed in full, times the full outer product."""
    fusion, features = made("low_rank", ("visual", "text"), rank=2)
    w, x = weights(fusion), with_ones(fusion, features)
    weight = np.einsum("r,iro,jro->oij", w["rank_weights"][0], *w["factors"])
    fused = np.einsum("oij,bi,bj->bo", weight, *x) + w["bias"]
    same(run(fusion, features)[0], mlp(w, "mix", fused))


def test_every_factor_is_a_parameter_saved_and_trained() -> None:
    fusion, features = made("low_rank", MODALITIES, rank=3)
    assert fusion.factors.shape == (3, WIDTH + 1, 3, WIDTH)
    assert any(parameter is fusion.factors for parameter in fusion.parameters())
    assert fusion.state_dict()["factors"].shape == fusion.factors.shape
    fusion(features).pooled.square().sum().backward()
    assert (fusion.factors.grad.abs().amax(dim=(1, 3)) > 0).all()  # of each modality and each rank


def test_products_start_at_a_scale_that_does_not_depend_on_their_number() -> None:
    """At Glorot's initial weights an entry of a product of M factors has about unit variance."""
    for modalities in SUBSETS:
        torch.manual_seed(0)
        factors = LowRankFusion(LowRankFusion.Config(rank=16), modalities, 64).factors.detach()
        x = torch.nn.functional.pad(torch.randn(len(modalities), 256, 64), (0, 1), value=1.0)
        product = reduce(torch.mul, torch.bmm(x, factors.flatten(2)).unbind(0))
        assert 0.8 < product.square().mean() < 1.25
