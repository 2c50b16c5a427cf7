"""One transformer over all tokens, against its formula; and what all token fusions read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, made, mlp, run, same, weights
from numpy_tokens import additive_pool, block, sequences

from mmvideo.components import FusionChoice
from mmvideo.contract.fusions import WIDTH, draw
from mmvideo.contract.promises import presence_patterns
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import MODALITIES

TOKEN_FUSIONS = ("joint_transformer", "mult", "co_attention", "bottleneck", "perceiver")


@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_its_formula(modalities: tuple[str, ...]) -> None:
    fusion, features = made("joint_transformer", modalities)
    w = weights(fusion)
    pooled, _ = run(fusion, features)
    for row in range(len(pooled)):
        state = np.concatenate(sequences(fusion, w, features, row))
        for layer in range(2):
            state = block(w, f"blocks.{layer}", state, state)
        same(pooled[row], mlp(w, "mix", additive_pool(w, "pool", state)))


@pytest.mark.parametrize("name", TOKEN_FUSIONS)
class TestTokenFusions:
    @pytest.mark.parametrize("level", ["stem", "trunk"])
    def test_one_level_is_read_and_nothing_else(self, name: str, level: str) -> None:
        fusion, features = made(name, MODALITIES, level=level)
        assert fusion.levels_read(fusion.config) == {level}
        only = {m: Features(f.present, **{level: getattr(f, level)}) for m, f in features.items()}
        with torch.no_grad():
            assert torch.equal(fusion(only).pooled, fusion(features).pooled)

    def test_when_something_happens_matters(self, name: str) -> None:
        fusion, features = made(name, MODALITIES)
        sound = features["audio"].trunk
        later = Features(features["audio"].present, trunk=Tokens(sound.values, sound.mask, sound.time + 0.3))
        with torch.no_grad():
            moved = fusion(features | {"audio": later}).pooled - fusion(features).pooled
        present = features["audio"].present
        assert (moved[present].abs().amax(dim=1) > 1e-4).all()
        assert torch.equal(moved[~present], torch.zeros_like(moved[~present]))

    def test_what_stands_in_padding_may_even_be_nan(self, name: str) -> None:
        torch.manual_seed(0)
        fusion = FusionChoice.of(name, dropout=0.0).build(MODALITIES, WIDTH)
        clean = draw(MODALITIES, presence_patterns(3))

        def spoil(tokens: Tokens) -> Tokens:
            return Tokens(
                tokens.values.masked_fill(~tokens.mask[..., None], torch.nan),
                tokens.mask,
                tokens.time.masked_fill(~tokens.mask, torch.nan),
            )

        spoiled = {m: Features(f.present, trunk=spoil(f.trunk)) for m, f in clean.items()}
        pooled = fusion(spoiled).pooled
        torch.testing.assert_close(pooled, fusion(clean).pooled)
        pooled.square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())
