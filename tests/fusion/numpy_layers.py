"""The layers that fusions are made of, in NumPy float64: what a module should give, from its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf

from mmvideo.components import FusionChoice
from mmvideo.contract.fusions import WIDTH, draw
from mmvideo.contract.promises import presence_patterns
from mmvideo.fusion import Fusion
from mmvideo.types import Features
from mmvideo.vocabulary import MODALITIES

Array = NDArray[np.float64]
SUBSETS = (("audio",), ("visual", "text"), MODALITIES, (*MODALITIES, "depth"))


def made(name: str, modalities: tuple[str, ...], **options: Any) -> tuple[Fusion, dict[str, Features]]:
    """A fusion in eval mode, every weight drawn anew (no zero bias, no unit norm), and all patterns."""
    torch.manual_seed(0)
    fusion = FusionChoice.of(name, **options).build(modalities, WIDTH).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.4)
    return fusion, draw(modalities, presence_patterns(len(modalities)))


def run(fusion: Fusion, features: dict[str, Features]) -> tuple[Array, dict[str, Array]]:
    """The pooled vectors and the diagnostics."""
    with torch.no_grad():
        out = fusion(features)
    return out.pooled.double().numpy(), {name: d.double().numpy() for name, d in out.diagnostics.items()}


def same(ours: Array, expected: Array) -> None:
    """Equal to float32's precision."""
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def weights(fusion: Fusion) -> dict[str, Array]:
    return {name: tensor.double().numpy() for name, tensor in fusion.state_dict().items()}


def vectors(fusion: Fusion, features: dict[str, Features]) -> tuple[list[Array], NDArray[np.bool_]]:
    """Each modality's clip vectors, the learned stand-in where it is absent; and presence (B, M)."""
    absent = weights(fusion)["absent"]
    present = np.stack([features[m].present.numpy() for m in fusion.modalities], axis=1)
    clips = [features[m].clip.double().numpy() for m in fusion.modalities]
    return [np.where(present[:, [i]], clip, absent[i]) for i, clip in enumerate(clips)], present


def linear(w: dict[str, Array], name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def layer_norm(x: Array, scale: Array | float = 1.0, shift: Array | float = 0.0) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * scale + shift


def norm(w: dict[str, Array], name: str, x: Array) -> Array:
    return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"])


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def mlp(w: dict[str, Array], name: str, x: Array) -> Array:
    """`mmvideo.fusion.base.mlp` in evaluation."""
    return linear(w, f"{name}.4", gelu(linear(w, f"{name}.1", norm(w, f"{name}.0", x))))
