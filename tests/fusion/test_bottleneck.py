"""Attention bottlenecks against the formula, and what can and cannot pass through them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, made, mlp, run, same, weights
from numpy_tokens import sequences, stream_block

from mmvideo.contract.fusions import WIDTH, draw
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize(("layers", "fusion_layer"), [(3, 1), (2, 0), (2, 2)])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], layers: int, fusion_layer: int) -> None:
    fusion, features = made("bottleneck", modalities, layers=layers, fusion_layer=fusion_layer, bottlenecks=2)
    w, count = weights(fusion), len(modalities)
    pooled, _ = run(fusion, features)
    for row in range(len(pooled)):
        present = [bool(features[m].present[row]) for m in modalities]
        counted = [m for m in range(count) if present[m]] or range(count)
        tokens = sequences(fusion, w, features, row)
        streams = [np.concatenate([w["summary"][m, 0], tokens[m]]) for m in range(count)]
        shared = w.get("bottlenecks")
        for layer in range(layers):
            if layer < fusion_layer:
                streams = [stream_block(w, f"blocks.{layer}", m, x, x) for m, x in enumerate(streams)]
                continue
            joint = [np.concatenate([x, shared]) for x in streams]
            joint = [stream_block(w, f"blocks.{layer}", m, x, x) for m, x in enumerate(joint)]
            shared = np.mean([joint[m][-2:] for m in counted], axis=0)
            streams = [x[:-2] for x in joint]
        same(pooled[row], mlp(w, "mix", np.concatenate([x[0] for x in streams])))


@pytest.mark.parametrize(
    ("fusion_layer", "hears"),
    [(0, True), (1, True), (2, False), (3, False)],
    ids=["early", "middle", "too late to come back", "late"],
)
def test_one_modality_reaches_another_through_the_bottlenecks_only(fusion_layer: int, hears: bool) -> None:
    fusion, _ = made("bottleneck", MODALITIES, layers=3, fusion_layer=fusion_layer)
    everything = torch.ones(2, 3, dtype=torch.bool)
    features, other = draw(MODALITIES, everything), draw(MODALITIES, everything, seed=1)
    summaries: list[torch.Tensor] = []
    fusion.mix.register_forward_hook(lambda module, given, out: summaries.append(given[0]))
    with torch.no_grad():
        fusion(features)
        fusion(features | {"audio": other["audio"]})
    moved = (summaries[1] - summaries[0]).unflatten(1, (3, WIDTH)).abs().amax(dim=2)
    assert (moved[:, 1] > 1e-3).all()
    assert ((moved[:, [0, 2]] > 1e-5) == hears).all()


def test_late_has_no_bottlenecks() -> None:
    fusion, _ = made("bottleneck", MODALITIES, layers=2, fusion_layer=2)
    assert "bottlenecks" not in fusion.state_dict()
