"""Attention across groups of tokens: each token reads other groups' tokens, nearer ones more easily."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.time import TimeDistanceBias


class AcrossBlock(AttentionBlock):
    """Pre-norm residual block over groups side by side: tokens read other groups', then feed-forward.

    A group's queries meet the keys of the groups that it reads and no others, so that what may not be read
    is not computed either. A token with nothing to read gets zeros.
    """

    def forward(  # type: ignore[override]
        self,
        x: Float[Tensor, "B N D"],
        real: Bool[Tensor, "B N"],
        counts: Sequence[int],
        reads: Sequence[Sequence[int]],
        bias: TimeDistanceBias | None = None,
        time: Float[Tensor, "B N"] | None = None,
    ) -> Float[Tensor, "B N D"]:
        """The tokens after reading.

        Args:
            real: which tokens may be read.
            counts: tokens of each group, in the order in which they stand; they add up to N.
            reads: for each group, the groups that it reads.
            bias: added to the scores.
            time: of each token in seconds, which `bias` needs.
        """
        attention = self.attention
        queries = attention.query(self.norm_query(x)).split(counts, dim=1)
        keys_values = attention.key_value(self.norm_context(x)).split(counts, dim=1)
        reals, times = real.split(counts, dim=1), () if time is None else time.split(counts, dim=1)
        parts, some = [], []
        for group, others in enumerate(reads):
            if not others:
                parts.append(torch.zeros_like(queries[group]))
                some.append(torch.zeros_like(reals[group]))
                continue
            q = attention.split(queries[group])
            context = torch.cat([keys_values[other] for other in others], dim=1)
            k, v = (attention.split(part) for part in context.chunk(2, dim=2))
            there = torch.cat([reals[other] for other in others], dim=1)
            has_key = there.any(dim=1, keepdim=True)
            there = there | ~has_key  # a clip without keys sees all, and is zeroed below
            if bias is None:
                read = F.scaled_dot_product_attention(q, k, v, attn_mask=there[:, None, None])
            else:
                key_time = torch.cat([times[other] for other in others], dim=1)
                scores = bias(_scores(q, k, there), times[group], key_time)
                read = torch.softmax(scores, dim=3).to(v.dtype) @ v
            parts.append(read.transpose(1, 2).flatten(2))
            some.append(has_key.expand_as(reals[group]))
        read = attention.out(torch.cat(parts, dim=1))
        return self.finish(x, torch.where(torch.cat(some, dim=1)[..., None], read, 0.0))


def _scores(
    q: Float[Tensor, "B H Q d"], k: Float[Tensor, "B H K d"], there: Bool[Tensor, "B K"]
) -> Float[Tensor, "B H Q K"]:
    """q kᵀ / √d, −∞ where no key is there."""
    shape = q.shape[:2]
    closed = q.new_zeros(there.shape).masked_fill(~there, float("-inf"))
    closed = closed[:, None, None].expand(-1, shape[1], -1, -1).flatten(0, 1)
    scale = q.shape[3] ** -0.5
    scores = torch.baddbmm(closed, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=scale)
    return scores.unflatten(0, shape)
