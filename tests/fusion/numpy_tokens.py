"""Token fusions' parts in NumPy float64, clip by clip, on real tokens alone: no mask to get wrong."""

from __future__ import annotations

import numpy as np
from numpy_layers import Array, gelu, layer_norm, linear, norm, softmax

from mmvideo.fusion import Fusion
from mmvideo.types import Features

Weights = dict[str, Array]


def sequences(fusion: Fusion, w: Weights, features: dict[str, Features], row: int) -> list[Array]:
    """Each modality's tokens (N, D) with modality and time; the one token `absent` where there are none."""
    found = []
    for m, name in enumerate(fusion.modalities):
        tokens = features[name].trunk
        mask = tokens.mask[row]
        values, time = (part[row][mask].double().numpy() for part in (tokens.values, tokens.time))
        angles = time[:, None] * 2 * np.pi * 2.0 ** np.linspace(-4, 3, 8)
        encoded = linear(w, "time.out", np.concatenate([np.sin(angles), np.cos(angles)], axis=1))
        found.append(values + w["modality"][m] + encoded if len(values) else w["absent"][[m]])
    return found


def attend(q: Array, k: Array, v: Array, heads: int) -> Array:
    """softmax(q kᵀ / √d) v, head by head."""
    d = q.shape[1] // heads
    parts = [slice(h * d, (h + 1) * d) for h in range(heads)]
    return np.concatenate([softmax(q[:, p] @ k[:, p].T / np.sqrt(d)) @ v[:, p] for p in parts], axis=1)


def stream_linear(w: Weights, name: str, stream: int, x: Array) -> Array:
    return x @ w[f"{name}.weight"][stream] + w[f"{name}.bias"][stream]


def stream_attention(w: Weights, name: str, stream: int, queries: Array, context: Array, heads: int) -> Array:
    q = stream_linear(w, f"{name}.query", stream, queries)
    k, v = np.split(stream_linear(w, f"{name}.key_value", stream, context), 2, axis=1)
    return stream_linear(w, f"{name}.out", stream, attend(q, k, v, heads))


def stream_feed_forward(w: Weights, name: str, stream: int, x: Array) -> Array:
    return stream_linear(w, f"{name}.2", stream, gelu(stream_linear(w, f"{name}.0", stream, x)))


def stream_block(w: Weights, name: str, stream: int, x: Array, context: Array, heads: int = 4) -> Array:
    """Pre-norm: x + attention(norm x, norm context), then + feed-forward(norm)."""
    x = x + stream_attention(w, f"{name}.attention", stream, layer_norm(x), layer_norm(context), heads)
    return x + stream_feed_forward(w, f"{name}.feed_forward", stream, layer_norm(x))


def block(w: Weights, name: str, x: Array, context: Array, heads: int = 4) -> Array:
    """`mmvideo.layers.attention.AttentionBlock` where every query may read everything."""
    q = linear(w, f"{name}.attention.query", norm(w, f"{name}.norm_query", x))
    given = norm(w, f"{name}.norm_context", context)
    k, v = np.split(linear(w, f"{name}.attention.key_value", given), 2, axis=1)
    x = x + linear(w, f"{name}.attention.out", attend(q, k, v, heads))
    hidden = gelu(linear(w, f"{name}.feed_forward.0", norm(w, f"{name}.norm_ff", x)))
    return x + linear(w, f"{name}.feed_forward.2", hidden)


def additive_pool(w: Weights, name: str, tokens: Array) -> Array:
    scores = linear(w, f"{name}.score", np.tanh(linear(w, f"{name}.hidden", tokens)))[:, 0]
    return softmax(scores) @ tokens
