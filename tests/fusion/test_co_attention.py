"""Co-attention against its formula, and how far it carries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, layer_norm, made, mlp, run, same, weights
from numpy_tokens import additive_pool, sequences, stream_attention, stream_block, stream_feed_forward

from mmvideo.contract.fusions import draw
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_its_formula(modalities: tuple[str, ...]) -> None:
    fusion, features = made("co_attention", modalities)
    w, count = weights(fusion), len(modalities)
    pooled, _ = run(fusion, features)
    for row in range(len(pooled)):
        states = sequences(fusion, w, features, row)
        for layer in range(2):
            normed, name = [layer_norm(x) for x in states], f"cross.{layer}"
            pair = 0
            for target in range(count):
                for source in range(count):
                    if source != target:
                        states[target] = states[target] + stream_attention(
                            w, f"{name}.attention", pair, normed[target], normed[source], 4
                        )
                        pair += 1
                if count > 1:
                    states[target] = states[target] + stream_feed_forward(
                        w, f"{name}.feed_forward", target, layer_norm(states[target])
                    )
            states = [stream_block(w, f"own.{layer}", m, x, x) for m, x in enumerate(states)]
        vectors = [additive_pool(w, f"pools.{m}", x) for m, x in enumerate(states)]
        same(pooled[row], mlp(w, "mix", np.concatenate(vectors)))


def test_each_modality_hears_every_other_through_its_own_tokens() -> None:
    fusion, _ = made("co_attention", MODALITIES, layers=1)
    everything = torch.ones(2, 3, dtype=torch.bool)
    features, other = draw(MODALITIES, everything), draw(MODALITIES, everything, seed=1)
    given: list[torch.Tensor] = []
    fusion.mix.register_forward_hook(lambda module, inputs, out: given.append(inputs[0]))
    with torch.no_grad():
        for name in (None, *MODALITIES):
            fusion(features if name is None else features | {name: other[name]})
    for changed in given[1:]:
        assert ((changed - given[0]).unflatten(1, (3, -1)).abs().amax(dim=2) > 1e-3).all()
