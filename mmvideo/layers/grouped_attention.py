"""Transformer blocks for several token sequences at once, each with weights of its own.

Shape letters: G streams, B batch, N or Q or K tokens, D width. A stream is one modality's sequence, or one
ordered pair of modalities. All streams go through each map in one batched product and through one call of
attention, so that three modalities cost few large operations instead of many small ones.
"""

from __future__ import annotations

from itertools import permutations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.errors import InputError
from mmvideo.layers.attention import RESIDUAL_STD, few


def ordered_pairs(count: int) -> Int[Tensor, "P 2"]:
    """All (target, source) with target ≠ source of `count` streams, target by target."""
    return torch.tensor(list(permutations(range(count), 2)), dtype=torch.long).reshape(-1, 2)


def stream_norm(x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
    """Layer norm without scale and shift: the linear map that follows has both, one pair a stream."""
    return F.layer_norm(x, x.shape[-1:])


class StreamLinear(nn.Module):
    """A linear map for each stream, initialised as nn.Linear is."""

    def __init__(self, streams: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(streams, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(streams, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "G B N I"]) -> Float[Tensor, "G B N O"]:
        return torch.baddbmm(self.bias, x.flatten(1, 2), self.weight).unflatten(1, x.shape[1:3])

    def start_small(self) -> StreamLinear:
        """Weights near zero, for the end of a residual branch."""
        nn.init.normal_(self.weight, std=RESIDUAL_STD)
        nn.init.zeros_(self.bias)
        return self


class StreamAttention(nn.Module):
    """Scaled dot-product attention within each stream (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    Every sequence needs at least one real key; the fusions see to that by a token that stands for an absent
    modality. Where queries are few, the keys' and values' maps are applied to the queries' side, as in
    `mmvideo.layers.attention.Attention`.
    """

    def __init__(self, streams: int, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} cannot be split over {heads} heads; choose a multiple")
        self.heads = heads
        self.query = StreamLinear(streams, width, width)
        self.key_value = StreamLinear(streams, width, 2 * width)
        self.out = StreamLinear(streams, width, width).start_small()

    def forward(
        self,
        queries: Float[Tensor, "G B Q D"],
        context: Float[Tensor, "G B K D"],
        real: Bool[Tensor, "G B K"],
    ) -> Float[Tensor, "G B Q D"]:
        """Each query reads the real tokens of its own stream's context."""
        if few(queries.shape[2], context.shape[2], queries.shape[3], self.heads):
            return self._read_with_few(queries, context, real)
        q = self._split(self.query(queries))
        k, v = (self._split(part) for part in self.key_value(context).chunk(2, dim=3))
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=real.flatten(0, 1)[:, None, None])
        return self.out(read.transpose(1, 2).flatten(2).unflatten(0, real.shape[:2]))

    def _split(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1).unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _read_with_few(self, queries: Tensor, context: Tensor, real: Tensor) -> Tensor:
        shape = queries.shape[:3]
        by_head = self.key_value.weight.unflatten(2, (2, self.heads, -1))  # (G, D, 2, H, d)
        of_key, of_value = by_head.permute(2, 0, 3, 4, 1).unbind(0)  # (G, H, d, D)
        q = self.query(queries).unflatten(3, (self.heads, -1))
        asked = torch.einsum("gbqhd,ghde->gbqhe", q, of_key).flatten(2, 3).flatten(0, 1)  # (G B, Q H, D)
        read = F.scaled_dot_product_attention(
            asked[:, None],
            context.flatten(0, 1)[:, None],
            context.flatten(0, 1)[:, None],
            attn_mask=real.flatten(0, 1)[:, None, None],
            scale=q.shape[4] ** -0.5,
        )
        read = read.squeeze(1).unflatten(0, shape[:2]).unflatten(2, (shape[2], self.heads))
        values = torch.einsum("gbqhe,ghde->gbqhd", read, of_value).flatten(3)
        return self.out(values + self.key_value.bias[:, None, :, values.shape[3] :])


class StreamFeedForward(nn.Sequential):
    """Two linear maps with a GELU between them, for each stream."""

    def __init__(self, streams: int, width: int, expansion: int) -> None:
        super().__init__(
            StreamLinear(streams, width, expansion * width),
            nn.GELU(),
            StreamLinear(streams, expansion * width, width).start_small(),
        )


class StreamBlock(nn.Module):
    """Pre-norm residual block for each stream: its tokens read a context, then a feed-forward layer."""

    def __init__(
        self, streams: int, width: int, heads: int = 4, dropout: float = 0.0, expansion: int = 2
    ) -> None:
        super().__init__()
        self.attention = StreamAttention(streams, width, heads)
        self.feed_forward = StreamFeedForward(streams, width, expansion)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "G B N D"],
        real: Bool[Tensor, "G B K"],
        context: Float[Tensor, "G B K D"] | None = None,
        first: int | None = None,
    ) -> Float[Tensor, "G B _ D"]:
        """The tokens `x` after reading the real tokens of a context, or each other.

        Args:
            real: which tokens may be read; the others come out finite, and nobody may read them either.
            context: what is read, already normed (`stream_norm`); None: `x`.
            first: return this many leading tokens (G, B, first, D) only, where nobody uses the rest. If a
                single summary token is read in the end, the last layer costs just that: all tokens are keys
                and values, but none of the others is a query or goes through the feed-forward layer.
        """
        normed = stream_norm(x)
        asking, x = normed[:, :, :first], x[:, :, :first]
        x = x + self.dropout(self.attention(asking, normed if context is None else context, real))
        return x + self.dropout(self.feed_forward(stream_norm(x)))
