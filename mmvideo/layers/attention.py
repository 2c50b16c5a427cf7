"""Multi-head attention that is finite for every mask, and a pre-norm transformer block on top of it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.words import InputError

RESIDUAL_STD = 0.01


class Attention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    A query with no key it may see gets zeros, and no gradient flows through it; `nn.MultiheadAttention` gives
    NaN there, and the NaN reaches the gradients of the other rows.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} cannot be split over {heads} heads; choose a multiple")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        queries: Float[Tensor, "B Q D"],
        context: Float[Tensor, "B K D"],
        allowed: Bool[Tensor, "B _ K"],
        bias: Float[Tensor, "B H Q K"] | None = None,
    ) -> Float[Tensor, "B Q D"]:
        """Each query reads the context where `allowed`; `bias` is added to the scores before the softmax.

        What may be read is either each query's own affair, (B, Q, K), or the same for all, (B, 1, K).
        """
        has_key = allowed.any(dim=2, keepdim=True)
        open_rows = (allowed | ~has_key).unsqueeze(1)  # a row without keys sees all, and is zeroed below
        scores = open_rows if bias is None else bias.masked_fill(~open_rows, float("-inf"))
        q = self._split(self.query(queries))
        k, v = (self._split(part) for part in self.key_value(context).chunk(2, dim=2))
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=scores)
        merged = self.out(read.transpose(1, 2).flatten(2))
        return torch.where(has_key, merged, 0.0)

    def _split(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B H N d"]:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class AttentionBlock(nn.Module):
    """Pre-norm residual block: queries read a context, then a feed-forward layer."""

    def __init__(self, width: int, heads: int = 4, dropout: float = 0.0, expansion: int = 2) -> None:
        super().__init__()
        self.norm_query, self.norm_context, self.norm_ff = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads)
        widen, narrow = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        self.feed_forward = nn.Sequential(widen, nn.GELU(), narrow)
        self.dropout = nn.Dropout(dropout)
        for branch in (self.attention.out, narrow):  # start near the identity, as GPT-2 does
            nn.init.normal_(branch.weight, std=RESIDUAL_STD)
            nn.init.zeros_(branch.bias)

    def forward(
        self,
        queries: Float[Tensor, "B Q D"],
        context: Float[Tensor, "B K D"],
        allowed: Bool[Tensor, "B _ K"],
        bias: Float[Tensor, "B H Q K"] | None = None,
    ) -> Float[Tensor, "B Q D"]:
        read = self.attention(self.norm_query(queries), self.norm_context(context), allowed, bias)
        queries = queries + self.dropout(read)
        return queries + self.dropout(self.feed_forward(self.norm_ff(queries)))
