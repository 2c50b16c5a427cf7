"""Multi-head attention that is finite for every mask, and a pre-norm transformer block on top of it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.errors import InputError

RESIDUAL_STD = 0.01


class Attention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    A query with no key it may see gets zeros, and no gradient flows through it; `nn.MultiheadAttention` gives
    NaN there, and the NaN reaches the gradients of the other rows.

    Where queries are few, the keys' and values' maps are applied to the queries' side instead of to every
    token of the context: q · (W x) = (Wᵀ q) · x and Σ aₙ (W xₙ) = W (Σ aₙ xₙ). That is the same sum; a key's
    bias adds the same to all scores of a query and falls out of the softmax.
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
    ) -> Float[Tensor, "B Q D"]:
        """Each query reads the context where `allowed`.

        What may be read is either each query's own affair, (B, Q, K), or the same for all, (B, 1, K).
        """
        has_key = allowed.any(dim=2, keepdim=True)
        open_rows = (allowed | ~has_key).unsqueeze(1)  # a row without keys sees all, and is zeroed below
        if few(queries.shape[1], context.shape[1], queries.shape[2], self.heads):
            read = self._read_with_few(queries, context, open_rows)
        else:
            q = self.split(self.query(queries))
            k, v = (self.split(part) for part in self.key_value(context).chunk(2, dim=2))
            read = F.scaled_dot_product_attention(q, k, v, attn_mask=open_rows).transpose(1, 2).flatten(2)
        return torch.where(has_key, self.out(read), 0.0)

    def _read_with_few(self, queries: Tensor, context: Tensor, open_rows: Tensor) -> Tensor:
        of_key, of_value = self.key_value.weight.unflatten(0, (2, self.heads, -1)).unbind(0)  # (H, d, D)
        q = self.split(self.query(queries))
        asked = torch.einsum("bhqd,hde->bhqe", q, of_key).flatten(1, 2)
        everyone = open_rows.expand(-1, self.heads, queries.shape[1], -1).flatten(1, 2)
        context = context[:, None]
        read = F.scaled_dot_product_attention(
            asked[:, None], context, context, attn_mask=everyone[:, None], scale=q.shape[3] ** -0.5
        )
        read = read.squeeze(1).unflatten(1, (self.heads, -1))
        values = torch.einsum("bhqe,hde->bqhd", read, of_value).flatten(2)
        return values + self.key_value.bias[values.shape[2] :]

    def split(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B H N d"]:
        """Each head's part."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def few(queries: int, keys: int, width: int, heads: int) -> bool:
    """Whether the keys' and values' maps take fewer operations on the queries' side."""
    return queries * (width + (heads - 1) * keys) < keys * width


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
    ) -> Float[Tensor, "B Q D"]:
        read = self.attention(self.norm_query(queries), self.norm_context(context), allowed)
        return self.finish(queries, read)

    def finish(self, queries: Float[Tensor, "B Q D"], read: Float[Tensor, "B Q D"]) -> Float[Tensor, "B Q D"]:
        """The queries with what they have read, after the feed-forward layer."""
        queries = queries + self.dropout(read)
        return queries + self.dropout(self.feed_forward(self.norm_ff(queries)))
