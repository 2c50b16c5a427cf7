"""MulT against its formula, pair by pair and clip by clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, made, mlp, run, same, weights
from numpy_tokens import sequences, stream_block

from mmvideo.components import FusionChoice
from mmvideo.contract.fusions import WIDTH, draw
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize(("layers", "self_layers"), [(2, 1), (1, 2)])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...], layers: int, self_layers: int) -> None:
    fusion, features = made("mult", modalities, layers=layers, self_layers=self_layers)
    w, count = weights(fusion), len(modalities)
    pooled, _ = run(fusion, features)
    for row in range(len(pooled)):
        tokens = sequences(fusion, w, features, row)
        summaries, pair = [], 0
        for target in range(count):
            streams = []
            for source in range(count):
                if source == target:
                    continue
                stream = tokens[target]
                for layer in range(layers):
                    stream = stream_block(w, f"cross.{layer}", pair, stream, tokens[source])
                streams.append(stream)
                pair += 1
            joined = np.concatenate(streams or [tokens[target]], axis=1)
            sequence = np.concatenate([w["summary"][target, 0], joined])
            for layer in range(self_layers):
                sequence = stream_block(w, f"own.{layer}", target, sequence, sequence)
            summaries.append(sequence[0])
        same(pooled[row], mlp(w, "mix", np.concatenate(summaries)))


def test_a_stream_is_of_its_two_modalities_and_no_third() -> None:
    """Another sound moves the streams that read or start from sound, through the tokens, and no other."""
    fusion, _ = made("mult", MODALITIES)
    everything = torch.ones(2, 3, dtype=torch.bool)
    features, other = draw(MODALITIES, everything), draw(MODALITIES, everything, seed=1)

    def streams(audio: dict) -> torch.Tensor:
        with torch.no_grad():
            values, real = fusion.stacked(features | {"audio": audio["audio"]})
            read = fusion._read_each_other(values, real)  # (M, B, N, 2 D)
        return (read * real[..., None]).unflatten(3, (2, WIDTH))

    moved = (streams(other) - streams(features)).abs().amax(dim=(1, 2, 4)) > 1e-4
    assert moved.tolist() == [[True, False], [True, True], [False, True]]  # visual ← audio, text; …


def test_every_query_gets_gradient() -> None:
    torch.manual_seed(0)
    fusion = FusionChoice.of("mult").build(MODALITIES, WIDTH)
    fusion(draw(MODALITIES, torch.ones(4, 3, dtype=torch.bool))).pooled.square().sum().backward()
    grads = [p.grad for name, p in fusion.named_parameters() if name.endswith("query.weight")]
    assert [len(grad) for grad in grads] == [6, 6, 3]  # two cross-modal layers of six pairs, one layer each
    assert all((grad.abs().amax(dim=(1, 2)) > 0).all() for grad in grads)
