"""The gated multimodal unit against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, linear, made, mlp, run, same, sigmoid, vectors, weights

from mmvideo.types import Features


@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_papers_formula(modalities: tuple[str, ...]) -> None:
    fusion, features = made("gated", modalities)
    w, (x, _) = weights(fusion), vectors(fusion, features)
    gates = np.split(sigmoid(linear(w, "gate", np.concatenate(x, axis=1))), len(x), axis=1)
    fused = sum(
        z * np.tanh(linear(w, f"values.{m}", v)) for m, (z, v) in enumerate(zip(gates, x, strict=True))
    )
    pooled, diagnostics = run(fusion, features)
    same(pooled, mlp(w, "mix", fused))
    same(diagnostics["gates"], np.stack([z.mean(axis=1) for z in gates], axis=1))


def test_a_closed_gate_keeps_its_modality_out() -> None:
    fusion, features = made("gated", ("visual", "audio"))
    with torch.no_grad():
        fusion.gate.weight.zero_()
        fusion.gate.bias[:] = torch.tensor([50.0, -50.0]).repeat_interleave(fusion.width)
    audio = features["audio"]
    otherwise = features | {"audio": Features(audio.present, clip=audio.clip.flip(0))}
    pooled, diagnostics = run(fusion, features)
    same(run(fusion, otherwise)[0], pooled)
    same(diagnostics["gates"], np.tile([1.0, 0.0], (4, 1)))
