"""Tensor fusion: every product of one entry of each modality gets a weight of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.fusion.base import Fusion, mlp
from mmvideo.layers.grouped_attention import StreamLinear, stream_norm
from mmvideo.schema import Dropout, Positive
from mmvideo.types import Features, FusionOutput


class TensorFusion(Fusion):
    """h = W · vec([x_1; 1] ⊗ … ⊗ [x_M; 1]), then two layers.

    TFN (Zadeh et al., 2017, https://arxiv.org/abs/1707.07250). The ones make the product hold every modality
    alone, every pair, and so on up to all at once; the entry 1 ⊗ … ⊗ 1 is the bias. Each modality's vector is
    normalised and projected to x_m of R entries first, since W has D (R + 1)^M weights: at D = 64 and R = 8
    that is 46,656 for three modalities and 419,904 for four.

    Where it pays, the outer product is formed over the first modalities only, multiplied with W, and the
    result contracted with the outer product of the rest. That is the same sum in another order: about
    2 D (R + 1)^M operations a clip either way, but fewer numbers on the way, which must be kept for the
    backward pass.
    """

    cost: ClassVar[str] = (
        "products of the clip vectors' entries, which grow with the power of the number of modalities"
    )

    class Config(Fusion.Config):
        rank_width: Positive = 8
        """R, entries each modality is projected to. Costs grow with its M-th power."""
        dropout: Dropout = 0.1

    def __init__(self, config: Config, modalities: Sequence[str], width: int) -> None:
        super().__init__(config, modalities, width)
        count, side = len(self.modalities), config.rank_width + 1
        self.project = StreamLinear(count, width, config.rank_width)
        self.split = best_split(count, side, width)
        shape = (side**self.split, side ** (count - self.split), width)
        self.core = nn.Parameter(torch.randn(shape) * side ** (-count / 2))  # entries of h start near 1
        self.mix = mlp(width, width, config.dropout)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, _ = self.clips(features)
        projected = self.project(stream_norm(vectors).transpose(0, 1)[:, None]).squeeze(1)  # (M, B, R)
        # F.pad with 1 appends the entry that keeps products of fewer modalities
        parts = F.pad(projected, (0, 1), value=1.0).unbind(0)
        first = reduce(_outer, parts[: self.split])
        fused = (first @ self.core.flatten(1)).unflatten(1, self.core.shape[1:])
        if self.split < len(parts):
            rest = reduce(_outer, parts[self.split :])
            fused = torch.bmm(rest[:, None, :], fused)
        return FusionOutput(self.mix(fused.squeeze(1)))


def best_split(count: int, side: int, width: int) -> int:
    """Over how many of the `count` modalities, each of `side` entries, to form the outer product.

    The number that forms the fewest intermediate numbers, if that is at most half of what the whole outer
    product takes; else all of them, which is one product instead of two.
    """
    formed = {n: side**n + width * side ** (count - n) for n in range(1, count + 1)}
    best = min(formed, key=formed.__getitem__)
    return best if 2 * formed[best] <= formed[count] else count


def _outer(a: Float[Tensor, "B I"], b: Float[Tensor, "B J"]) -> Float[Tensor, "B K"]:
    """Each clip's outer product as one vector, the entries of `b` varying fastest."""
    return torch.bmm(a[:, :, None], b[:, None, :]).flatten(1)
